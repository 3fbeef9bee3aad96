//! What only a server knows, asked for as the command would ask: with the profile and the flags that were typed.

use std::ffi::OsString;

use clap::{Args, Command};

use super::kind::{Kind, Question, asked_for};
use super::line::Word;
use super::offer::{Candidate, data};
use super::place::{Place, Typed};
use crate::cli::Global;
use crate::context::Context;
use crate::error::Result;
use crate::{grpc, kafka};

/// Whether a server is to be asked.
pub(super) fn question(place: &Place<'_>) -> Option<Question> {
    match asked_for(place) {
        Some((_, Kind::Asked(question), _)) => Some(question),
        _ => None,
    }
}

/// The global flags that were typed and that say which profile it is. The side's own counts more.
pub(super) fn global(place: &Place<'_>) -> Global {
    let last = |id: &str| {
        let typed = place.typed.iter().rev().find(|typed| typed.arg.get_id() == id);
        typed.and_then(|typed| typed.value.clone())
    };
    Global {
        profile: last("profile"),
        config: last("config").map(std::path::PathBuf::from),
        color: crate::output::ColorWhen::Never,
        verbose: false,
        quiet: true,
        timeout: None,
        connect_timeout: None,
        wait: None,
    }
}

/// Whether the shell puts something in place of what says where to connect: what that is, nobody knows.
pub(super) fn is_unknown(place: &Place<'_>) -> bool {
    let says_where = |typed: &&Typed<'_>| {
        let heading = typed.arg.get_help_heading();
        heading == Some(crate::net::tls::CONNECTION) || typed.arg.is_global_set() || typed.arg.get_id() == "profile"
    };
    place.typed.iter().filter(says_where).any(|typed| typed.is_expanded)
}

/// The flags of a protocol's connection, as they were typed.
fn settings<T: Args>(place: &Place<'_>) -> Option<T> {
    let command = T::augment_args(Command::new("mscomm"));
    let mut argv = vec![OsString::from("mscomm")];
    for typed in &place.typed {
        let id = typed.arg.get_id();
        let Some(long) = command.get_arguments().find(|arg| arg.get_id() == id).and_then(|arg| arg.get_long()) else {
            continue;
        };
        argv.push(match &typed.value {
            Some(value) => format!("--{long}={value}").into(),
            None => format!("--{long}").into(),
        });
    }
    let matches = command.try_get_matches_from(argv).ok()?;
    T::from_arg_matches(&matches).ok()
}

/// The value of an argument without a flag.
fn argument<'p>(place: &'p Place<'_>, name: &str) -> Option<&'p str> {
    let has_name = |typed: &&Typed<'_>| {
        let names = typed.arg.get_value_names().unwrap_or_default();
        typed.arg.is_positional() && names.iter().any(|own| own.as_str() == name) && !typed.is_expanded
    };
    place.typed.iter().find(has_name)?.value.as_deref()
}

/// Asks.
///
/// # Errors
/// The connection's.
pub(super) async fn ask(place: &Place<'_>, question: Question, word: &Word, cx: &Context) -> Result<Vec<Candidate>> {
    let before = asked_for(place).map(|(_, _, before)| before).unwrap_or_default();
    let typed = word.text.strip_prefix(before).unwrap_or_default();
    let named = |(name, help): (String, String)| Candidate::new(name, help);
    let found: Vec<Candidate> = match question {
        Question::Topics | Question::Groups | Question::Subjects => {
            let found = match question {
                Question::Subjects => {
                    let Some(registry) = settings(place) else { return Ok(Vec::new()) };
                    kafka::subjects(&registry, cx).await?
                }
                _ => {
                    let Some(settings) = settings(place) else { return Ok(Vec::new()) };
                    match question {
                        Question::Topics => kafka::topics(&settings, cx).await?,
                        _ => kafka::groups(&settings, cx).await?,
                    }
                }
            };
            // What was typed already is not meant again.
            let again = |name: &str| place.typed.iter().any(|typed| typed.value.as_deref() == Some(name));
            found.into_iter().filter(|(name, _)| !again(name)).map(named).collect()
        }
        Question::Fields if !typed.starts_with('{') && !typed.starts_with(char::is_whitespace) => data(typed),
        Question::Services | Question::Methods | Question::Symbols | Question::Fields => {
            let Some(settings) = settings(place) else { return Ok(Vec::new()) };
            match question {
                Question::Services => grpc::services(&settings, cx).await?.into_iter().map(named).collect(),
                Question::Symbols => grpc::symbols(&settings, cx).await?.into_iter().map(named).collect(),
                Question::Methods => {
                    let found = grpc::methods(&settings, typed, cx).await?;
                    let candidate = |(name, help): (String, String)| Candidate {
                        is_open: name.ends_with('/'),
                        ..Candidate::new(name, help)
                    };
                    found.into_iter().map(candidate).collect()
                }
                _ => {
                    let Some(method) = argument(place, "METHOD") else { return Ok(Vec::new()) };
                    let found = grpc::fields(&settings, method, typed, cx).await?;
                    found.into_iter().map(|(text, help)| Candidate::open(text, help)).collect()
                }
            }
        }
    };
    Ok(found.into_iter().map(|one| Candidate { value: format!("{before}{}", one.value), ..one }).collect())
}
