//! What the value of an argument is, and with it who knows what it can be.

use clap::Arg;
use clap::builder::ValueHint;

use super::place::{Expects, Place};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of those that the argument lists.
    Listed,
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A program of this machine.
    Program,
    /// Data, or `@` and a file.
    Data,
    /// A secret, or a reference to one.
    Secret,
    /// A profile.
    Profile,
    /// A key of a profile with its value.
    Setting,
    /// A key of a profile.
    Key,
    /// A command of ours.
    Verb,
    /// An exchange.
    Exchange,
    /// A column of a table.
    Column,
    /// What only a server knows.
    Asked(Question),
    /// Nobody knows it.
    Free,
}

/// What a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Topics of Kafka.
    Topics,
    /// Consumer groups of Kafka.
    Groups,
    /// Subjects of a schema registry.
    Subjects,
    /// Services of gRPC.
    Services,
    /// Their methods.
    Methods,
    /// All that they consist of.
    Symbols,
    /// The fields of a method's request.
    Fields,
}

/// What the value of an argument is.
fn kind(path: &[&str], arg: &Arg) -> Kind {
    if !arg.get_possible_values().is_empty() {
        return Kind::Listed;
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()).unwrap_or_default();
    match (path, name) {
        (["grpc", "call"], "TEXT|@FILE") => Kind::Asked(Question::Fields),
        (["grpc", ..], "METHOD") => Kind::Asked(Question::Methods),
        (["grpc", ..] | ["check"], "SERVICE") => Kind::Asked(Question::Services),
        (["grpc", ..], "SYMBOL") => Kind::Asked(Question::Symbols),
        (["kafka", "topic", "create"], "TOPIC") => Kind::Free,
        (["kafka", ..] | ["check"], "TOPIC" | "TOPIC[:PARTITIONS]") => Kind::Asked(Question::Topics),
        (["kafka", ..], "GROUP") => Kind::Asked(Question::Groups),
        (["kafka", ..], "SUBJECT" | "SUBJECT[:VERSION]") => Kind::Asked(Question::Subjects),
        (["profile", "add"], "PROFILE") => Kind::Free,
        (["profile", ..], "KEY=VALUE") => Kind::Setting,
        (["profile", ..], "KEY") => Kind::Key,
        (["man"], "COMMAND") => Kind::Verb,
        (_, "PROFILE") => Kind::Profile,
        (_, "COLUMN" | "COLUMNS") => Kind::Column,
        (_, "EXCHANGE" | "EXCHANGE[:KEY]") => Kind::Exchange,
        (_, "TEXT|@FILE") => Kind::Data,
        (_, "SECRET") => Kind::Secret,
        (_, "FOLDER") => Kind::Folder,
        (_, "FILE" | "FILE|URI" | "VERSION|FILE") => Kind::File,
        (_, "COMMAND") => Kind::Program,
        _ if arg.get_id() == "profile" => Kind::Profile,
        _ => match arg.get_value_hint() {
            ValueHint::AnyPath | ValueHint::FilePath => Kind::File,
            _ => Kind::Free,
        },
    }
}

/// What is to be completed: a value of this kind, behind what stands before it in its word.
pub(super) fn asked_for<'p>(place: &'p Place<'_>) -> Option<(&'p Arg, Kind, &'p str)> {
    match &place.expects {
        Expects::Value(arg, before) => Some((arg, kind(&place.path, arg), before)),
        Expects::Word { positional: Some(arg), .. } => Some((arg, kind(&place.path, arg), "")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Trees;
    use super::*;
    use crate::cli::tree::visible;

    /// A new argument offers its values, or is said here to have none that anybody knows.
    #[test]
    fn every_value_is_known_or_free() {
        const FREE: &[&str] = &[
            "0..255",
            "ADDRESS",
            "ASSIGNMENT",
            "BROKERS",
            "CHARACTERS",
            "CODE=WHAT",
            "COUNT",
            "DESTINATION",
            "DST",
            "DURATION",
            "ID",
            "JQ",
            "JSON",
            "KEY",
            "KEY=VALUE",
            "LINE",
            "N",
            "N|DURATION",
            "NAME",
            "NAME: VALUE",
            "NAME:PASSWORD",
            "NAME=SUBJECT:VERSION",
            "NAME=VALUE",
            "NAME[=VALUE]",
            "NAME[:PARTITIONS][,SETTING=VALUE…]",
            "NUMBER",
            "NUMBERS",
            "PRINCIPAL",
            "PORT",
            "PRIORITY",
            "PROFILE",
            "NEW",
            "QUEUE",
            "SERVER",
            "SIDES",
            "SIZE",
            "SRC",
            "SUBJECT",
            "TAG",
            "TEXT",
            "TIME",
            "TOPIC",
            "TYPE",
            "URI",
            "URL",
            "USER",
            "VERB",
            "@TIME",
        ];
        /// A message's type, its content's type and encoding are anybody's.
        const OWN: &[&str] = &["kind", "content_type", "content_encoding"];
        let trees = Trees::default();
        let mut rest = vec![(trees.main(), Vec::new())];
        while let Some((command, path)) = rest.pop() {
            for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let names = arg.get_value_names().unwrap_or_default();
                let is_free =
                    names.iter().any(|name| FREE.contains(&name.as_str())) || OWN.contains(&arg.get_id().as_str());
                let kind = kind(&path, arg);
                assert!(kind != Kind::Free || is_free, "{path:?} {arg}: what can its value be?");
            }
            for verb in visible(command) {
                rest.push((verb, [path.as_slice(), &[verb.get_name()]].concat()));
            }
        }
    }
}
