//! What can stand at a place, as far as the program knows it by itself.

use clap::{Arg, Command};

use super::kind::{Kind, asked_for};
use super::place::{Expects, Place, Side, TO, Trees, is_many};
use crate::cli::tree::visible;
use crate::config::ConfigSource;
use crate::kafka;
use crate::sections::section_infos;

/// What can stand at the cursor, as the whole word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The word.
    pub value: String,
    /// What it is, in a line.
    pub help: String,
    /// Something follows it without a space.
    pub is_open: bool,
}

impl Candidate {
    /// One that ends the word.
    pub(super) fn new(value: impl Into<String>, help: impl Into<String>) -> Candidate {
        Candidate { value: value.into(), help: help.into(), is_open: false }
    }

    /// One that goes on.
    pub(super) fn open(value: impl Into<String>, help: impl Into<String>) -> Candidate {
        Candidate { is_open: true, ..Candidate::new(value, help) }
    }
}

/// What only the shell can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The name of a file.
    Files,
    /// The name of a folder.
    Folders,
    /// The name of a program.
    Programs,
    /// A command line of its own, from this word on.
    Command(usize),
}

/// What is known here, and what is not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// What the shell is to complete.
    pub left: Option<Left>,
}

/// The exchanges that RabbitMQ makes in each virtual host; AMQP has no way to ask for the others.
const EXCHANGES: &[(&str, &str)] = &[
    ("amq.direct", "by routing key"),
    ("amq.fanout", "to all"),
    ("amq.headers", "by headers"),
    ("amq.match", "by headers"),
    ("amq.topic", "by pattern"),
];

/// What is known without asking anybody.
pub(super) fn offer(place: &Place<'_>, typed: &str, trees: &Trees, source: &ConfigSource) -> Offer {
    let mut offer = Offer::default();
    match &place.expects {
        Expects::Nothing => {}
        Expects::Command(from) => offer.left = Some(Left::Command(*from)),
        Expects::Value(..) => offer.value(place, typed, trees, source),
        Expects::Word { positional, flags, verbs } => {
            if *flags && typed.starts_with('-') {
                offer.flags(place);
                return offer;
            }
            if *verbs {
                let all = visible(place.command);
                offer.candidates.extend(all.map(|verb| Candidate::new(verb.get_name(), about(verb))));
            }
            if positional.is_some() {
                offer.value(place, typed, trees, source);
            } else if !verbs && *flags && typed.is_empty() {
                // There is nothing else to choose from.
                offer.flags(place);
            }
        }
    }
    offer
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

impl Offer {
    /// The flags that can be typed: each once, and none that goes ill with one that stands there.
    fn flags(&mut self, place: &Place<'_>) {
        let is_typed = |arg: &Arg| place.typed.iter().any(|typed| typed.arg.get_id() == arg.get_id());
        let conflicts = |arg: &Arg| {
            let theirs = place.command.get_arg_conflicts_with(arg);
            theirs.iter().any(|other| is_typed(other))
                || place.typed.iter().any(|typed| {
                    let is_here = place.command.get_arguments().any(|arg| arg.get_id() == typed.arg.get_id());
                    let others = if is_here { place.command.get_arg_conflicts_with(typed.arg) } else { Vec::new() };
                    others.iter().any(|other| other.get_id() == arg.get_id())
                })
        };
        for arg in place.command.get_arguments() {
            if arg.is_hide_set() || is_typed(arg) && !is_many(arg) || conflicts(arg) {
                continue;
            }
            if let Some(long) = arg.get_long() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                self.candidates.push(Candidate::new(format!("--{long}"), help));
            }
        }
        if place.side == Some(Side::From) && place.path.len() + usize::from(place.path == ["stdin"]) > 1 {
            self.candidates.push(Candidate::new(TO, "The writing verb follows"));
        }
    }

    /// The values of the argument.
    fn value(&mut self, place: &Place<'_>, typed: &str, trees: &Trees, source: &ConfigSource) {
        let Some((arg, kind, before)) = asked_for(place) else { return };
        let value = typed.strip_prefix(before).unwrap_or_default();
        // Of several in one word the last one counts.
        let list = arg.get_value_delimiter().and_then(|mark| value.rfind(mark).map(|at| at + mark.len_utf8()));
        let (done, value) = value.split_at(list.unwrap_or(0));
        let before = format!("{before}{done}");
        let mut all = Vec::new();
        match kind {
            Kind::Free | Kind::Asked(_) => {}
            Kind::Listed => {
                let listed = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
                all.extend(listed.map(|value| {
                    let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                    // What ends so goes on.
                    let is_open = value.get_name().ends_with([':', '=', '@', '-']);
                    Candidate { is_open, ..Candidate::new(value.get_name(), help) }
                }));
            }
            Kind::File | Kind::Folder | Kind::Program if before.is_empty() => {
                self.left = Some(match kind {
                    Kind::File => Left::Files,
                    Kind::Folder => Left::Folders,
                    _ => Left::Programs,
                });
            }
            Kind::File => all.extend(files(value, false)),
            Kind::Folder => all.extend(files(value, true)),
            Kind::Program => {}
            Kind::Data => all.extend(data(value)),
            Kind::Secret => all.extend(secrets(value)),
            Kind::Profile => {
                all.extend(source.names().unwrap_or_default().into_iter().map(|name| Candidate::new(name, "")));
            }
            Kind::Setting => all.extend(keys().map(|key| Candidate::open(format!("{key}="), ""))),
            Kind::Key => all.extend(keys().map(|key| Candidate::new(key, ""))),
            Kind::Verb => all.extend(verbs(place, trees)),
            Kind::Column => all.extend(columns(&place.path).into_iter().map(|name| Candidate::new(name, ""))),
            Kind::Exchange => all.extend(EXCHANGES.iter().map(|(name, help)| Candidate::new(*name, *help))),
        }
        self.candidates.extend(all.into_iter().map(|one| Candidate { value: format!("{before}{}", one.value), ..one }));
    }
}

/// The files that a path may become.
pub(super) fn files(typed: &str, folders_only: bool) -> Vec<Candidate> {
    let (folder, name) = typed.rsplit_once('/').map_or(("", typed), |(folder, _)| typed.split_at(folder.len() + 1));
    let path = match folder {
        "" => std::path::PathBuf::from("."),
        folder => crate::secret::expand(folder, None),
    };
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let found = entries.flatten().filter_map(|entry| {
        let own = entry.file_name().into_string().ok()?;
        let is_folder = entry.path().is_dir();
        let is_meant = own.starts_with(name) && (!own.starts_with('.') || name.starts_with('.'));
        (is_meant && (is_folder || !folders_only)).then(|| match is_folder {
            true => Candidate::open(format!("{folder}{own}/"), ""),
            false => Candidate::new(format!("{folder}{own}"), ""),
        })
    });
    let mut found: Vec<Candidate> = found.collect();
    found.sort_by(|a, b| a.value.cmp(&b.value));
    found
}

/// Data can be a file.
pub(super) fn data(typed: &str) -> Vec<Candidate> {
    let behind = |one: Candidate| Candidate { value: format!("@{}", one.value), ..one };
    match typed.strip_prefix('@') {
        None if typed.is_empty() => vec![Candidate::open("@", "A file, or @- for standard input")],
        None => Vec::new(),
        Some(path) => files(path, false).into_iter().map(behind).collect(),
    }
}

/// Where a secret may be.
fn secrets(typed: &str) -> Vec<Candidate> {
    match typed.split_once(':') {
        Some(("env", _)) => {
            let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names.into_iter().map(|name| Candidate::new(format!("env:{name}"), "")).collect()
        }
        Some(("file", path)) => {
            let behind = |one: Candidate| Candidate { value: format!("file:{}", one.value), ..one };
            files(path, false).into_iter().map(behind).collect()
        }
        Some(_) => Vec::new(),
        None => vec![
            Candidate::open("env:", "A variable"),
            Candidate::open("file:", "A file"),
            Candidate::open("cmd:", "What a command prints"),
            Candidate::new("prompt:", "Ask at the terminal"),
        ],
    }
}

/// The columns of a verb's table.
fn columns(path: &[&str]) -> Vec<&'static str> {
    match path {
        ["kafka", "topic", "list"] => kafka::TOPIC_COLUMNS.to_vec(),
        ["kafka", "group", "list"] => kafka::GROUP_COLUMNS.to_vec(),
        ["kafka", "group", ..] => kafka::LAG_COLUMNS.to_vec(),
        ["kafka", "acl", ..] => kafka::ACL_COLUMNS.to_vec(),
        ["kafka", ..] => kafka::PARTITION_COLUMNS.to_vec(),
        _ => ["name", "default", "extends"].into_iter().chain(section_infos().iter().map(|info| info.name)).collect(),
    }
}

/// The keys of a profile.
fn keys() -> impl Iterator<Item = String> {
    let infos = section_infos().into_iter();
    let of_sections =
        infos.flat_map(|info| info.keys.into_keys().map(move |key| format!("{}.{key}", info.name)).collect::<Vec<_>>());
    of_sections.chain(["extends".to_owned(), "complete".to_owned()])
}

/// The commands below those that were typed as arguments.
fn verbs(place: &Place<'_>, trees: &Trees) -> Vec<Candidate> {
    let mut command = trees.main();
    for name in place.typed.iter().filter(|typed| typed.arg.is_positional()).filter_map(|typed| typed.value.as_deref())
    {
        match command.find_subcommand(name) {
            Some(found) => command = found,
            None => return Vec::new(),
        }
    }
    let all = visible(command);
    all.map(|verb| Candidate::new(verb.get_name(), about(verb))).collect()
}
