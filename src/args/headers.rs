//! In which form the values of Kafka's headers are.

use clap::ValueEnum;

use crate::error::nearest;
use crate::message::{HeaderForm, HeaderForms};
use crate::values::Offering;

/// How the values of headers are shown, or typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct HeaderFormArgs {
    /// How header values are shown that are no text: hex, base64, int32, int64 or text; or NAME=FORM of one header. May be repeated
    ///
    /// int32 and int64 are numbers of 4 and 8 bytes, the highest first, as Java writes them; a value that is of another length is
    /// shown as it came. With -o json such a value is {"$hex": …}, {"$base64": …}, {"$i32": …} or {"$i64": …}, which --input json
    /// reads. --filter and --map see headers as they came.
    #[arg(long = "header-encoding", value_name = "[NAME=]FORM", hide_possible_values = true,
          value_parser = Offering(form, FORMS), hide_short_help = true)]
    header_forms: Vec<(Option<String>, HeaderForm)>,
}

const FORMS: &[(&str, &str)] = &[
    ("text", "UTF-8"),
    ("hex", "two digits a byte"),
    ("base64", "base64"),
    ("int32", "a number of 4 bytes"),
    ("int64", "a number of 8 bytes"),
];

fn form(text: &str) -> Result<(Option<String>, HeaderForm), String> {
    let (name, form) = match text.rsplit_once('=') {
        Some((name, form)) => (Some(name.to_owned()), form),
        None => (None, text),
    };
    let read = HeaderForm::from_str(form, false);
    read.map(|form| (name, form)).map_err(|_| match nearest(form, FORMS.iter().map(|(name, _)| *name)) {
        Some(near) => format!("did you mean `{near}`? allowed: text, hex, base64, int32, int64"),
        None => "allowed: text, hex, base64, int32, int64, or NAME= and one of them".to_owned(),
    })
}

impl HeaderFormArgs {
    /// Whether any was typed.
    pub(crate) fn is_typed(&self) -> bool {
        !self.header_forms.is_empty()
    }

    /// What was typed.
    pub(crate) fn forms(&self) -> HeaderForms {
        HeaderForms::new(&self.header_forms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_all_and_of_one() {
        assert_eq!(form("hex"), Ok((None, HeaderForm::Hex)));
        assert_eq!(form("a=b=int32"), Ok((Some("a=b".to_owned()), HeaderForm::Int32)));
        for bad in ["", "int23", "a=", "HEX", "int32=a"] {
            assert!(form(bad).expect_err(bad).contains("int32"), "{bad}");
        }
    }
}
