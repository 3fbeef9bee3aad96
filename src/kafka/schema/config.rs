//! `kafka schema config`.

use serde_json::{Map, Value, json};

use super::named::subject_name;
use crate::context::Context;
use crate::error::{Error, Result, nearest};
use crate::kafka::registry::{Api, no_version};
use crate::kafka::settings::Registry;
use crate::kafka::shared;
use crate::output::{Table, TableLayout};

/// Show or change the settings of a subject, or those of all
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The subject; the settings of all without one
    #[arg(value_name = "SUBJECT", value_parser = subject_name)]
    subject: Option<String>,
    /// Setting to change: compatibility=BACKWARD, normalize=true or mode=READONLY. May be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    changes: Vec<(String, String)>,
    /// Give the subject the settings of all again
    #[arg(long, conflicts_with = "changes", requires = "subject")]
    reset: bool,
    /// How to show the settings
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    registry: Registry,
}

/// A setting that is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Setting {
    Compatibility(&'static str),
    Normalize(bool),
    Mode(&'static str),
}

impl Setting {
    fn words(&self) -> String {
        match self {
            Setting::Compatibility(level) => format!("compatibility={level}"),
            Setting::Normalize(is_on) => format!("normalize={is_on}"),
            Setting::Mode(mode) => format!("mode={mode}"),
        }
    }
}

const LEVELS: &[&str] =
    &["BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE"];

const MODES: &[&str] = &["READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT"];

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, as compatibility=BACKWARD")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn setting((key, value): &(String, String)) -> Result<Setting> {
    let one_of = |allowed: &[&'static str]| {
        let found = allowed.iter().find(|one| one.eq_ignore_ascii_case(value));
        found.copied().ok_or_else(|| {
            let near = nearest(value, allowed.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            Error::usage(format!("`{value}` is no {key}")).hint(format!("{near}allowed: {}", allowed.join(", ")))
        })
    };
    match key.as_str() {
        "compatibility" => one_of(LEVELS).map(Setting::Compatibility),
        "mode" => one_of(MODES).map(Setting::Mode),
        "normalize" => one_of(&["true", "false"]).map(|text| Setting::Normalize(text == "true")),
        _ => Err(Error::usage(format!("there is no setting `{key}`")).hint("allowed: compatibility, normalize, mode")),
    }
}

/// Shows settings, or changes them.
///
/// # Errors
/// The registry's; `Kind::Refused` for one that does not take them.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let changes: Vec<Setting> = args.changes.iter().map(setting).collect::<Result<_>>()?;
    let api = shared::registry(&args.registry, cx)?;
    let subject = args.subject.as_deref();
    let whose = subject.map_or_else(|| "all subjects".to_owned(), |subject| format!("subject `{subject}`"));
    if args.reset {
        api.unset_config(subject).await.map_err(|no| no.error(format!("cannot reset the settings of {whose}")))?;
        cx.terminal.note(format!("{whose} has the settings of all again"));
        return Ok(());
    }
    if changes.is_empty() {
        return show(&api, subject, args.output, cx).await;
    }
    change(&api, subject, &changes).await.map_err(|error| error.context(format!("cannot change {whose}")))?;
    let changes: Vec<String> = changes.iter().map(Setting::words).collect();
    cx.terminal.note(format!("set {} for {whose}", changes.join(", ")));
    Ok(())
}

async fn show(api: &Api, subject: Option<&str>, output: Option<TableLayout>, cx: &Context) -> Result<()> {
    let cannot = "cannot read the settings";
    let config = match api.config(subject).await {
        Ok(config) => config,
        Err(declined) => match subject {
            Some(subject) if declined.is_absent() => return Err(no_version(api, subject, None, declined).await),
            _ => return Err(declined.error(cannot)),
        },
    };
    let mode = api.mode(subject).await.map_err(|no| no.error(cannot))?;
    let mut table = Table::new(["subject", "compatibility", "normalize", "mode"]);
    table.row([json!(subject), json!(config.compatibility), json!(config.normalize), json!(mode)]);
    table.print(output, &cx.terminal)
}

async fn change(api: &Api, subject: Option<&str>, changes: &[Setting]) -> Result<()> {
    let mut body = Map::new();
    let mut mode = None;
    for change in changes {
        match change {
            Setting::Compatibility(level) => drop(body.insert("compatibility".to_owned(), json!(level))),
            Setting::Normalize(is_on) => drop(body.insert("normalize".to_owned(), json!(is_on))),
            Setting::Mode(to) => mode = Some(*to),
        }
    }
    if !body.is_empty() {
        api.set_config(subject, Value::Object(body)).await.map_err(|no| no.error("the registry did not take it"))?;
    }
    match mode {
        Some(mode) => api.set_mode(subject, mode).await.map_err(|no| unmoded(no.error("the mode"))),
        None => Ok(()),
    }
}

fn unmoded(error: Error) -> Error {
    error.hint("not every registry has modes, and Confluent's takes a change only with mode.mutability=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let read = |key: &str, value: &str| setting(&(key.to_owned(), value.to_owned()));
        assert_eq!(read("compatibility", "full").ok(), Some(Setting::Compatibility("FULL")));
        assert_eq!(read("normalize", "true").ok(), Some(Setting::Normalize(true)));
        for (key, value, fix) in [
            ("compatibility", "BACKWRD", "did you mean BACKWARD?"),
            ("compat", "FULL", "allowed: compatibility"),
            ("normalize", "1", "true, false"),
            ("mode", "x", "READWRITE"),
        ] {
            let error = read(key, value).expect_err(key);
            assert!(error.fix().is_some_and(|own| own.contains(fix)), "{key}: {error:?}");
        }
        assert!(pair("compatibility").is_err());
    }
}
