//! Headers of records as flags.

use crate::args::HeaderFormArgs;
use crate::error::{Error, Result};
use crate::message::{HeaderForm, KafkaHeader};
use crate::values;

const FORM: &str =
    "How the values of -H are read: text, hex, base64, int32 or int64; or NAME=FORM of one header. May be repeated";

const LONG: &str = "How the values of -H are read: text, hex, base64, int32 or int64; or NAME=FORM of one header. May be \
                    repeated\n\nint32 and int64 become numbers of 4 and 8 bytes, the highest first, as Java writes them.";

/// Headers that every record has.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(mut_arg("header_forms", |arg| arg.help(FORM).long_help(LONG)))]
pub(crate) struct HeaderArgs {
    /// Header of every record, as trace=42 or 'trace: 42', behind an envelope's own; NAME alone is null, NAME= empty. May be repeated, also with the same name
    #[arg(short = 'H', long = "header", value_name = "NAME[=VALUE]", value_parser = values::Unechoed(header))]
    headers: Vec<(String, Option<String>)>,
    #[command(flatten)]
    forms: HeaderFormArgs,
}

fn header(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.contains('=') || text.contains(": ") {
        true => values::header(text, true).map(|(name, value)| (name, Some(value)))?,
        false => (text, None),
    };
    // What was forgotten between a name and its value must not become a name.
    if value.is_none() && (name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ':')) {
        return Err(
            "write 'NAME: VALUE' or NAME=VALUE, as trace=42, or NAME alone for a header that is null".to_owned()
        );
    }
    if name.contains('\0') {
        return Err("a header's name cannot hold a zero byte".to_owned());
    }
    Ok((name.to_owned(), value.map(str::to_owned)))
}

impl HeaderArgs {
    /// In the message's own shape.
    ///
    /// # Errors
    /// `Kind::Usage`: a value is not of the form that was said, or a form is said of a header that is not there.
    pub(crate) fn headers(&self) -> Result<Vec<KafkaHeader<'static>>> {
        let forms = self.forms.forms();
        if let Some(name) = forms.names().find(|name| !self.names().any(|other| other == *name)) {
            return Err(Error::usage(format!(
                "--header-encoding is about the header `{name}`, and no -H has that name"
            ))
            .hint("give the header with -H, or leave its encoding out"));
        }
        if self.headers.is_empty() && self.forms.is_typed() {
            return Err(Error::usage("--header-encoding is about the values of -H, and there is none")
                .hint("give headers with -H, or leave it out"));
        }
        let header = |(name, value): &(String, Option<String>)| {
            let form = forms.of(name).unwrap_or(HeaderForm::Text);
            let value = value.clone().map(|value| form.read(value)).transpose();
            // The value may be a secret.
            let value = value.map_err(|why| Error::usage(format!("--header: the value of `{name}`: {why}")))?;
            Ok((name.clone().into(), value.map(Into::into)))
        };
        self.headers.iter().map(header).collect()
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_null_and_no_typo() {
        let read = |text| header(text).map_err(drop);
        let pair = |name: &str, value: Option<&str>| Ok((name.to_owned(), value.map(str::to_owned)));
        assert_eq!(read("a"), pair("a", None));
        assert_eq!(read("a="), pair("a", Some("")));
        assert_eq!(read("a=b=c"), pair("a", Some("b=c")));
        assert_eq!(read("a: b"), pair("a", Some("b")));
        assert_eq!(read("a:b=c"), pair("a:b", Some("c")));
        for bad in ["", " ", "a b", "a:b", "a:", "a\0=b"] {
            assert_eq!(read(bad), Err(()), "{bad}");
        }
    }
}
