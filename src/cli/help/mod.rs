//! What there is to read: topics (`mscomm help TOPIC`), and the examples at the end of a verb's help. Both are man pages, too,
//! and both stand in files of their own beside this one; a test runs every example as it is printed.

mod page;
mod roff;
mod show;

pub(crate) use self::roff::escaped as roff;

use clap::builder::StyledStr;

use self::page::Page;
use super::tree::{tree, visible};
use crate::error::{Error, Result, nearest};
use crate::output::{Printer, Terminal};

/// A topic.
pub(crate) struct Topic {
    /// Its name, as it is typed.
    pub name: &'static str,
    /// The section of the manual: 5 for formats of files, 7 for everything else.
    pub section: u8,
    /// What it says.
    text: &'static str,
}

macro_rules! topic {
    ($name:literal, $section:literal) => {
        Topic { name: $name, section: $section, text: include_str!(concat!("topics/", $name, ".md")) }
    };
}

/// All of them, in the order in which they are listed.
pub(crate) const TOPICS: &[Topic] = &[
    topic!("envelope", 5),
    topic!("profiles", 5),
    topic!("exit-codes", 7),
    topic!("formats", 7),
    topic!("filters", 7),
    topic!("schemas", 7),
    topic!("cloudevents", 7),
    topic!("exec", 7),
    topic!("bridge", 7),
    topic!("transactions", 7),
    topic!("queues", 7),
    topic!("groups", 7),
    topic!("requests", 7),
    topic!("logins", 7),
    topic!("calls", 7),
    topic!("sandbox", 7),
    topic!("times", 7),
    topic!("ci", 7),
    topic!("speed", 7),
    topic!("coming-from-grpcurl", 7),
    topic!("coming-from-kcat", 7),
    topic!("coming-from-kafka-tools", 7),
    topic!("coming-from-amqp-tools", 7),
    topic!("coming-from-plumber", 7),
];

/// The examples of verbs by their names.
const EXAMPLES: &[(&str, &str)] = &[
    ("grpc list", include_str!("examples/grpc-list.sh")),
    ("grpc describe", include_str!("examples/grpc-describe.sh")),
    ("grpc call", include_str!("examples/grpc-call.sh")),
    ("check", include_str!("examples/check.sh")),
    ("grpc health", include_str!("examples/grpc-health.sh")),
    ("grpc export", include_str!("examples/grpc-export.sh")),
    ("grpc cache list", include_str!("examples/grpc-cache-list.sh")),
    ("grpc cache clear", include_str!("examples/grpc-cache-clear.sh")),
    ("amqp publish", include_str!("examples/amqp-publish.sh")),
    ("amqp consume", include_str!("examples/amqp-consume.sh")),
    ("amqp get", include_str!("examples/amqp-get.sh")),
    ("amqp move", include_str!("examples/amqp-move.sh")),
    ("amqp tap", include_str!("examples/amqp-tap.sh")),
    ("amqp request", include_str!("examples/amqp-request.sh")),
    ("amqp respond", include_str!("examples/amqp-respond.sh")),
    ("amqp queue declare", include_str!("examples/amqp-queue-declare.sh")),
    ("amqp queue delete", include_str!("examples/amqp-queue-delete.sh")),
    ("amqp queue purge", include_str!("examples/amqp-queue-purge.sh")),
    ("amqp queue info", include_str!("examples/amqp-queue-info.sh")),
    ("amqp exchange declare", include_str!("examples/amqp-exchange-declare.sh")),
    ("amqp exchange delete", include_str!("examples/amqp-exchange-delete.sh")),
    ("amqp bind", include_str!("examples/amqp-bind.sh")),
    ("amqp unbind", include_str!("examples/amqp-unbind.sh")),
    ("kafka produce", include_str!("examples/kafka-produce.sh")),
    ("kafka tail", include_str!("examples/kafka-tail.sh")),
    ("kafka request", include_str!("examples/kafka-request.sh")),
    ("kafka respond", include_str!("examples/kafka-respond.sh")),
    ("kafka topic list", include_str!("examples/kafka-topic-list.sh")),
    ("kafka topic describe", include_str!("examples/kafka-topic-describe.sh")),
    ("kafka topic create", include_str!("examples/kafka-topic-create.sh")),
    ("kafka topic alter", include_str!("examples/kafka-topic-alter.sh")),
    ("kafka topic truncate", include_str!("examples/kafka-topic-truncate.sh")),
    ("kafka topic delete", include_str!("examples/kafka-topic-delete.sh")),
    ("kafka schema list", include_str!("examples/kafka-schema-list.sh")),
    ("kafka schema get", include_str!("examples/kafka-schema-get.sh")),
    ("kafka schema register", include_str!("examples/kafka-schema-register.sh")),
    ("kafka schema check", include_str!("examples/kafka-schema-check.sh")),
    ("kafka schema diff", include_str!("examples/kafka-schema-diff.sh")),
    ("kafka schema delete", include_str!("examples/kafka-schema-delete.sh")),
    ("kafka schema config", include_str!("examples/kafka-schema-config.sh")),
    ("kafka group list", include_str!("examples/kafka-group-list.sh")),
    ("kafka group describe", include_str!("examples/kafka-group-describe.sh")),
    ("kafka group reset", include_str!("examples/kafka-group-reset.sh")),
    ("kafka group export", include_str!("examples/kafka-group-export.sh")),
    ("kafka group delete", include_str!("examples/kafka-group-delete.sh")),
    ("kafka broker list", include_str!("examples/kafka-broker-list.sh")),
    ("kafka broker describe", include_str!("examples/kafka-broker-describe.sh")),
    ("kafka broker config", include_str!("examples/kafka-broker-config.sh")),
    ("kafka acl list", include_str!("examples/kafka-acl-list.sh")),
    ("kafka acl add", include_str!("examples/kafka-acl-add.sh")),
    ("kafka acl remove", include_str!("examples/kafka-acl-remove.sh")),
    ("kafka user list", include_str!("examples/kafka-user-list.sh")),
    ("kafka user add", include_str!("examples/kafka-user-add.sh")),
    ("kafka user remove", include_str!("examples/kafka-user-remove.sh")),
    ("bridge", include_str!("examples/bridge.sh")),
    ("profile list", include_str!("examples/profile-list.sh")),
    ("profile show", include_str!("examples/profile-show.sh")),
    ("profile current", include_str!("examples/profile-current.sh")),
    ("profile rename", include_str!("examples/profile-rename.sh")),
    ("profile import", include_str!("examples/profile-import.sh")),
    ("profile add", include_str!("examples/profile-add.sh")),
    ("profile edit", include_str!("examples/profile-edit.sh")),
    ("profile remove", include_str!("examples/profile-remove.sh")),
    ("profile use", include_str!("examples/profile-use.sh")),
    ("sandbox", include_str!("examples/sandbox.sh")),
    ("sandbox ctl list", include_str!("examples/sandbox-ctl-list.sh")),
    ("sandbox ctl block", include_str!("examples/sandbox-ctl-block.sh")),
    ("sandbox ctl unblock", include_str!("examples/sandbox-ctl-unblock.sh")),
    ("sandbox ctl disconnect", include_str!("examples/sandbox-ctl-disconnect.sh")),
    ("sandbox ctl broker-down", include_str!("examples/sandbox-ctl-broker-down.sh")),
    ("sandbox ctl broker-up", include_str!("examples/sandbox-ctl-broker-up.sh")),
    ("sandbox ctl fault", include_str!("examples/sandbox-ctl-fault.sh")),
    ("completions", include_str!("examples/completions.sh")),
    ("man", include_str!("examples/man.sh")),
];

impl Topic {
    /// The one of a name.
    pub(crate) fn named(name: &str) -> Option<&'static Topic> {
        TOPICS.iter().find(|topic| topic.name == name)
    }

    fn page(&self) -> Page<'static> {
        Page::read(self.text)
    }

    /// What it is about, in a line.
    pub(crate) fn summary(&self) -> &'static str {
        // Of the first line alone: whoever starts any command pays for this.
        let line = self.text.lines().next().unwrap_or_default();
        line.split_once(": ").map_or("", |(_, summary)| summary)
    }

    /// As a man page.
    pub(crate) fn man(&self) -> Vec<u8> {
        roff::page(self.name, self.section, &self.page()).into_bytes()
    }
}

/// Which topics are about a command.
const ABOUT: &[(&str, &[&str])] = &[
    ("grpc", &["calls", "filters", "profiles", "coming-from-grpcurl"]),
    ("amqp queue", &["queues", "profiles"]),
    ("amqp exchange", &["queues", "profiles"]),
    ("amqp publish", &["formats", "envelope", "schemas", "times", "profiles", "coming-from-amqp-tools"]),
    ("amqp request", &["requests", "formats", "schemas", "profiles"]),
    ("amqp respond", &["requests", "exec", "schemas", "profiles"]),
    ("amqp move", &["queues", "filters", "profiles"]),
    ("amqp tap", &["queues", "formats", "filters", "schemas", "exec", "profiles"]),
    ("amqp bind", &["queues", "profiles"]),
    ("amqp unbind", &["queues", "profiles"]),
    ("amqp", &["formats", "filters", "schemas", "exec", "queues", "profiles", "coming-from-amqp-tools"]),
    ("kafka topic", &["profiles", "logins", "coming-from-kafka-tools"]),
    ("kafka group", &["groups", "times", "profiles", "logins", "coming-from-kafka-tools"]),
    ("kafka schema", &["schemas", "profiles", "ci", "coming-from-kafka-tools"]),
    ("kafka broker", &["profiles", "logins", "coming-from-kafka-tools"]),
    ("kafka acl", &["profiles", "logins", "coming-from-kafka-tools"]),
    ("kafka user", &["profiles", "logins", "coming-from-kafka-tools"]),
    ("kafka request", &["requests", "formats", "schemas", "profiles", "logins"]),
    ("kafka respond", &["requests", "exec", "schemas", "groups", "profiles", "logins"]),
    (
        "kafka produce",
        &[
            "formats",
            "envelope",
            "schemas",
            "cloudevents",
            "transactions",
            "times",
            "profiles",
            "logins",
            "coming-from-kcat",
        ],
    ),
    (
        "kafka tail",
        &[
            "formats",
            "filters",
            "schemas",
            "cloudevents",
            "exec",
            "groups",
            "times",
            "profiles",
            "logins",
            "coming-from-kcat",
        ],
    ),
    ("kafka", &["formats", "filters", "schemas", "exec", "groups", "times", "profiles", "logins", "coming-from-kcat"]),
    ("bridge", &["bridge", "filters", "schemas", "cloudevents", "exec", "transactions", "envelope"]),
    ("profile", &["profiles"]),
    ("sandbox", &["sandbox", "ci"]),
];

/// What one often wants, and the line that does it.
pub(crate) const JOBS: &[(&str, &str)] = &[
    ("mscomm sandbox --tour", "see it all, without a server"),
    ("mscomm profile add dev", "name servers; they are tried before"),
    ("mscomm check --wait=1m", "wait until the servers are ready"),
    ("mscomm kafka tail orders --ready-file up", "tell a script that a reader reads"),
    ("mscomm amqp publish -k orders", "type messages, each with its confirm"),
    ("mscomm amqp get orders", "read messages, and take none out"),
    ("mscomm completions bash", "Tab that knows topics and methods"),
];

/// The topics that are about a command, by its names; all of them for mscomm itself.
pub(crate) fn topics_of(path: &str) -> impl Iterator<Item = &'static Topic> {
    let found =
        ABOUT.iter().find(|(of, _)| path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')));
    let names = found.map(|(_, names)| *names);
    TOPICS.iter().filter(move |topic| match names {
        Some(names) => names.contains(&topic.name) || topic.name == "exit-codes",
        None => true,
    })
}

/// The tree of commands with their examples, for who asks for help.
pub(crate) fn with_examples(command: clap::Command) -> clap::Command {
    at(command, "")
}

fn at(mut command: clap::Command, path: &str) -> clap::Command {
    if let Some(examples) = examples(path) {
        let header = command.get_styles().get_header();
        let topics: Vec<&str> = topics_of(path).map(|topic| topic.name).collect();
        let more = format!("{header}More:{header:#} mscomm help TOPIC, with TOPIC one of\n  {}", topics.join(", "));
        let mut text = format!("{header}Examples:{header:#}\n{}\n\n{more}", indented(examples));
        if let Some(before) = command.get_after_long_help() {
            text = format!("{text}\n\n{before}");
        }
        command = command.after_long_help(StyledStr::from(text));
    }
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for name in names {
        let below = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |verb| at(verb, &below));
    }
    command
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end().to_owned()
}

/// The examples of a verb, each a comment and a command.
pub(crate) fn examples(path: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(verb, _)| *verb == path).map(|(_, text)| *text)
}

/// The topics with what each is about, a line each.
pub(crate) fn list() -> String {
    TOPICS.iter().map(|topic| format!("  {:<22}  {}\n", topic.name, topic.summary())).collect()
}

/// Prints a topic, or the help of a command; without words what there is.
///
/// # Errors
/// `Kind::Usage` when there is neither; as [`Printer::flush`].
pub(crate) fn run(words: &[String], terminal: &Terminal) -> Result<()> {
    let text = match words {
        [] => {
            let help = styled(&tree().render_help(), terminal);
            let jobs: String = JOBS.iter().map(|(line, what)| format!("  {line:<40}  {what}\n")).collect();
            format!("{help}\nOften wanted:\n{jobs}\nTopics (mscomm help TOPIC):\n{}", list())
        }
        [name] if let Some(topic) = Topic::named(name) => show::page(&topic.page(), terminal),
        words => {
            let tree = with_examples(tree());
            let mut command = &tree;
            for name in words {
                command = command.find_subcommand(name).ok_or_else(|| unknown(words, name, command))?;
            }
            styled(&command.clone().render_long_help(), terminal)
        }
    };
    Printer::print(text)
}

fn styled(text: &StyledStr, terminal: &Terminal) -> String {
    match terminal.color_stdout {
        true => text.ansi().to_string(),
        false => text.to_string(),
    }
}

fn unknown(words: &[String], name: &str, below: &clap::Command) -> Error {
    let verbs = visible(below).map(clap::Command::get_name);
    let is_first = words.first().is_some_and(|first| first == name);
    let topics = TOPICS.iter().filter(|_| is_first).map(|topic| topic.name);
    let mut known: Vec<&str> = verbs.chain(topics).collect();
    known.sort_unstable();
    known.dedup();
    let error = Error::usage(format!("there is no command and no topic `{}`", words.join(" ")));
    match nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`? `mscomm help` lists what there is")),
        None if known.is_empty() => error.hint("`mscomm help` lists what there is"),
        None => error.hint(format!("allowed: {}", known.join(", "))),
    }
}
