//! What people type who know another tool: the flag or verb that it is here.

use std::io::Read;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::tree::visible;
use crate::error::nearest;

/// grpcurl's flags have one dash. clap would read them as several short ones: `-plaintext` as the profile `laintext`.
const ONE_DASH: &[(&str, &str)] = &[
    ("-plaintext", "--plaintext"),
    ("-insecure", "--insecure"),
    ("-cacert", "--tls-ca"),
    ("-cert", "--tls-cert"),
    ("-key", "--tls-key"),
    ("-servername", "--server-name"),
    ("-authority", "--authority"),
    ("-user-agent", "--user-agent"),
    ("-max-time", "--timeout, as --timeout 5s"),
    ("-connect-timeout", "--connect-timeout, as --connect-timeout 5s"),
    ("-keepalive-time", "--keepalive, as --keepalive 30s"),
    ("-max-msg-sz", "--max-recv"),
    ("-proto", "--proto"),
    ("-import-path", "--import-path"),
    ("-protoset", "--descriptor-set"),
    ("-protoset-out", "mscomm grpc export --descriptor-set-out"),
    ("-proto-out-dir", "mscomm grpc export --proto-out"),
    ("-format", "--format"),
    ("-format-error", "-o json, whose last line is the status"),
    ("-emit-defaults", "--emit-defaults"),
    ("-allow-unknown-fields", "--allow-unknown-fields"),
    ("-msg-template", "mscomm grpc call METHOD --template"),
    ("-reflect-header", "--reflect-header"),
    ("-rpc-header", "-H"),
    ("-use-reflection", "--reflection only or off"),
    ("-unix", "-s unix:PATH"),
    ("-vv", "-v"),
];

/// Flags of kcat, Kafka's console tools, amqp-tools, rabtap and nats, by the commands that they are typed behind.
const FLAGS: &[(&str, &str, &str)] = &[
    ("kafka group", "--group", "groups are arguments, as mscomm kafka group describe billing"),
    ("kafka group", "-g", "groups are arguments, as mscomm kafka group describe billing"),
    ("kafka group", "--all-groups", "--all"),
    ("kafka group", "--topic", "reset, export and delete have it"),
    ("kafka group", "--members", "describe shows them, and -o json all that is known of them"),
    ("kafka group", "--offsets", "describe shows them"),
    ("kafka group", "--lag", "describe shows it"),
    ("kafka group reset", "--to-earliest", "--to begin"),
    ("kafka group reset", "--to-latest", "--to end"),
    ("kafka group reset", "--to-offset", "--to OFFSET"),
    ("kafka group reset", "--to-datetime", "--to @TIME, as --to @2026-11-28T10:00:00Z"),
    ("kafka group reset", "--by-duration", "--to @DURATION, as --to @1h"),
    ("kafka group reset", "--from-file", "--to FILE"),
    ("kafka group reset", "--execute", "-y"),
    ("kafka group reset", "--dry-run", "without -y it is only shown"),
    ("kafka group reset", "--all-topics", "without --topic it is all that the group has committed for"),
    ("kafka group reset", "--export", "mscomm kafka group export"),
    ("kafka", "-t", "topics are arguments, as mscomm kafka tail orders"),
    ("kafka", "--topic", "topics are arguments, as mscomm kafka tail orders"),
    ("kafka", "--bootstrap-server", "-s BROKERS"),
    ("kafka tail", "-c", "-n COUNT"),
    ("kafka tail", "--max-messages", "-n COUNT"),
    ("kafka tail", "-C", "kafka tail reads by itself"),
    ("kafka tail", "-e", "--until-end"),
    ("kafka tail", "-f", "-o FORMAT, with the same tokens; following is the default"),
    ("kafka tail", "--follow", "following is the default"),
    ("kafka tail", "-J", "-o json"),
    ("kafka tail", "-G", "--group GROUP"),
    ("kafka tail", "-D", "--delimiter TEXT"),
    ("kafka tail", "--offset", "--from OFFSET"),
    ("kafka tail", "--from-beginning", "--from begin"),
    ("kafka tail", "--since", "--from @TIME, as --from @1h"),
    ("kafka tail", "--timeout-ms", "--idle-timeout, as --idle-timeout 5s"),
    ("kafka tail", "--consumer-property", "-X KEY=VALUE"),
    ("kafka produce", "-P", "kafka produce sends by itself"),
    ("kafka produce", "-l", "-d @FILE, a record a line"),
    ("kafka produce", "-z", "--compression CODEC"),
    ("kafka produce", "-D", "--delimiter TEXT"),
    ("kafka produce", "--producer-property", "-X KEY=VALUE"),
    ("kafka tail", "--key", "--filter '.key == \"K\"' for the records of one key; TLS has --tls-key FILE"),
    ("kafka topic create", "--topic-config", "--set KEY=VALUE"),
    ("kafka topic create", "--property", "--set KEY=VALUE"),
    ("kafka topic alter", "--add-config", "--set KEY=VALUE"),
    ("kafka topic alter", "--config", "--set KEY=VALUE"),
    ("kafka topic alter", "--delete-config", "--unset KEY"),
    ("kafka topic truncate", "--offset", "--before OFFSET"),
    ("kafka acl add", "--allow-principal", "--principal NAME"),
    ("kafka acl add", "--deny-principal", "--principal NAME --deny"),
    ("kafka acl", "--resource-pattern-type", "--prefixed, or --match"),
    ("kafka", "-L", "mscomm kafka topic list, and describe"),
    ("amqp publish", "-r", "-k KEY"),
    ("amqp publish", "--routingkey", "-k KEY"),
    ("amqp publish", "-b", "-d TEXT"),
    ("amqp publish", "--body", "-d TEXT"),
    ("amqp publish", "-l", "a message a line is the default of standard input and of -d @FILE"),
    ("amqp publish", "--line-buffered", "a message a line is the default of standard input and of -d @FILE"),
    ("amqp publish", "-C", "--content-type TYPE"),
    ("amqp publish", "-E", "--content-encoding ENCODING"),
    ("amqp publish", "-t", "--reply-to QUEUE"),
    ("amqp publish", "--ttl", "--expiration, as --expiration 30s"),
    ("amqp publish", "--delivery-mode", "--persistent for 2, --transient for 1"),
    ("amqp publish", "--queue", "-k QUEUE, without -e"),
    ("amqp consume", "-c", "-n COUNT"),
    ("amqp consume", "--limit", "-n COUNT"),
    ("amqp consume", "-d", "--no-ack"),
    ("amqp consume", "--follow", "following is the default"),
    ("amqp", "--offset", "--from WHERE"),
    ("amqp", "--queue", "queues are arguments, as mscomm amqp consume orders"),
    ("amqp", "--uri", "-s URI"),
    ("amqp", "-u", "-s URI"),
    ("amqp", "--apiuri", "there is none: only AMQP is spoken"),
    ("amqp", "--limit", "-n COUNT"),
    ("grpc", "--schema", "--descriptor-set FILE, or --proto FILE"),
    ("grpc", "--protocol", "gRPC is the only one"),
    ("grpc", "--list-methods", "mscomm grpc list SERVICE"),
    ("grpc", "--list-services", "mscomm grpc list"),
    ("grpc", "--unix-socket", "-s unix:PATH"),
    ("", "--ca", "--tls-ca FILE"),
    ("", "--cacert", "--tls-ca FILE"),
    ("", "--cert", "--tls-cert FILE"),
    ("", "--key", "--tls-key FILE"),
    ("", "--mechanism", "--sasl-mechanism MECHANISM"),
    ("", "--creds", "--password with env:NAME or file:PATH"),
    ("", "--format", "-o"),
];

/// Verbs of other tools.
const VERBS: &[(&str, &str, &str)] = &[
    ("kafka", "consume", "tail"),
    ("kafka", "read", "tail"),
    ("kafka", "sub", "tail"),
    ("kafka", "subscribe", "tail"),
    ("kafka", "cat", "tail"),
    ("kafka", "publish", "produce"),
    ("kafka", "pub", "produce"),
    ("kafka", "send", "produce"),
    ("kafka", "write", "produce"),
    ("kafka", "topics", "topic list"),
    ("kafka", "groups", "group list"),
    ("kafka", "consumer-groups", "group list"),
    ("kafka", "lag", "group describe"),
    ("kafka", "offsets", "group describe"),
    ("kafka", "list", "topic list"),
    ("kafka", "metadata", "topic describe"),
    ("amqp", "pub", "publish"),
    ("amqp", "produce", "publish"),
    ("amqp", "send", "publish"),
    ("amqp", "sub", "consume"),
    ("amqp", "subscribe", "consume"),
    ("amqp", "tail", "consume"),
    ("amqp", "read", "consume"),
    ("amqp", "peek", "get"),
    ("amqp", "browse", "get"),
    ("amqp", "reply", "respond"),
    ("amqp", "shovel", "move"),
    ("amqp queue", "create", "declare"),
    ("amqp queue", "rm", "delete"),
    ("amqp queue", "remove", "delete"),
    ("amqp exchange", "create", "declare"),
    ("amqp exchange", "rm", "delete"),
    ("kafka", "reply", "respond"),
    ("kafka topic", "ls", "list"),
    ("kafka group", "ls", "list"),
    ("kafka group", "rm", "delete"),
    ("kafka group", "remove", "delete"),
    ("kafka group", "lag", "describe"),
    ("kafka group", "seek", "reset"),
    ("kafka group", "reset-offsets", "reset"),
    ("kafka topic", "rm", "delete"),
    ("grpc", "invoke", "call"),
    ("grpc", "curl", "call"),
    ("grpc", "ls", "list"),
    ("grpc", "services", "list"),
    ("grpc", "methods", "list SERVICE"),
    ("profile", "ls", "list"),
    ("profile", "rm", "remove"),
    ("profile", "delete", "remove"),
    ("profile", "test", "add, and mscomm check -p NAME tries it"),
    ("profile", "default", "use"),
    ("profile", "whoami", "current"),
    ("profile", "mv", "rename"),
    ("profile", "which", "current"),
    ("profile", "set", "edit"),
    ("profile", "create", "add"),
    ("", "rabbitmq", "amqp"),
    ("", "rabbit", "amqp"),
    ("", "ping", "check"),
    ("", "doctor", "check"),
    ("", "test", "check"),
    ("", "health", "grpc health"),
    ("", "completion", "completions"),
    ("", "config", "profile"),
];

/// The error for a flag of grpcurl's, which clap would not see as one.
pub(crate) fn one_dash(argv: &[String]) -> Option<clap::Error> {
    let behind_data =
        |at: usize| argv.get(at.wrapping_sub(1)).is_some_and(|before| before == "-d" || before == "--data");
    let typed = argv.iter().enumerate().take_while(|(_, arg)| *arg != "--");
    let mut found = typed.filter(|(at, _)| !behind_data(*at)).filter_map(|(_, arg)| {
        let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
        ONE_DASH.iter().find(|(theirs, _)| *theirs == name)
    });
    let (theirs, ours) = found.next()?;
    let text = format!("unexpected argument '{theirs}' found\n\n  tip: here it is {ours}\n");
    Some(clap::Error::raw(ErrorKind::UnknownArgument, text))
}

/// The error for the path of a PEM file behind `--key`, which is curl's and grpcurl's word for the key of TLS: sent as the
/// key of a message it would be seen by everybody who reads the topic.
pub(crate) fn pem_as_key(argv: &[String]) -> Option<clap::Error> {
    let typed = argv.iter().take_while(|arg| *arg != "--").enumerate();
    let mut values = typed.filter_map(|(at, arg)| match arg.strip_prefix("--key") {
        Some("") => argv.get(at + 1).map(|value| (at, value.as_str())),
        Some(rest) => rest.strip_prefix('=').map(|value| (at, value)),
        None => None,
    });
    let of_message = |at: usize| {
        let system = argv[..at].iter().rev().find(|word| matches!(word.as_str(), "grpc" | "amqp" | "kafka"));
        system.is_some_and(|system| system != "grpc")
    };
    let (_, path) = values.find(|(at, path)| of_message(*at) && is_pem(path))?;
    let text = format!(
        "'--key {path}' would send the path of a PEM file as the key of the message\n\n  tip: the private key of TLS is given \
         with --tls-key {path}\n  tip: where the key is to be this very text, write -k {path}\n"
    );
    Some(clap::Error::raw(ErrorKind::ValueValidation, text))
}

fn is_pem(path: &str) -> bool {
    /// Comments may stand before the first block.
    const LOOKED_AT: u64 = 64 << 10;
    let path = std::path::Path::new(path);
    let mut text = Vec::new();
    // A pipe would be emptied, or wait.
    let read = path.is_file()
        && std::fs::File::open(path).is_ok_and(|file| file.take(LOOKED_AT).read_to_end(&mut text).is_ok());
    read && String::from_utf8_lossy(&text).contains("-----BEGIN ")
}

/// The error with what the flag, the verb or the argument is here.
pub(crate) fn advised(mut error: clap::Error, argv: &[String], tree: &Command) -> clap::Error {
    let (path, command) = commands(argv, tree);
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let tips = match error.kind() {
        ErrorKind::UnknownArgument => match text(&error, ContextKind::InvalidArg) {
            Some(flag) if flag.starts_with('-') => unknown_flag(&mut error, &flag, &path, command),
            Some(word) => surplus(&word, &path),
            None => return error,
        },
        ErrorKind::InvalidSubcommand => match text(&error, ContextKind::InvalidSubcommand) {
            Some(verb) => unknown_verb(&mut error, &verb, &path, command),
            None => return error,
        },
        _ => return error,
    };
    // What clap says instead is to put the flag behind `--`, which nobody means.
    error.remove(ContextKind::Suggested);
    if !tips.is_empty() {
        let tips = tips.into_iter().map(StyledStr::from).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// The commands that were typed, as far as they are some.
fn commands<'c>(argv: &[String], tree: &'c Command) -> (String, &'c Command) {
    let (mut path, mut command) = (Vec::new(), tree);
    for word in argv.iter().skip(1) {
        match command.find_subcommand(word) {
            Some(verb) => {
                path.push(word.as_str());
                command = verb;
            }
            None if word.starts_with('-') => {}
            None => break,
        }
    }
    (path.join(" "), command)
}

/// Whether a command is this one, or one below it.
fn is_below(path: &str, of: &str) -> bool {
    of.is_empty() || path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn unknown_flag(error: &mut clap::Error, flag: &str, path: &str, command: &Command) -> Vec<String> {
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    let known = FLAGS.iter().find(|(of, theirs, _)| *theirs == name && is_below(path, of));
    // clap finds `--insecure` near `--since`.
    let longs = || command.get_arguments().filter_map(Arg::get_long);
    let near = name.strip_prefix("--").and_then(|name| nearest(name, longs()));
    if known.is_some() || near.is_none() {
        error.remove(ContextKind::SuggestedArg);
    }
    // clap puts the flag that it finds near into the usage, too.
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.clone().render_usage()));
    match known {
        Some((_, _, ours)) if ours.starts_with(['-', 'm']) => vec![format!("here it is {ours}")],
        Some((_, _, ours)) => vec![(*ours).to_owned()],
        None => Vec::new(),
    }
}

fn unknown_verb(error: &mut clap::Error, verb: &str, path: &str, command: &Command) -> Vec<String> {
    let all = visible(command).map(Command::get_name);
    let there_are = format!("there are: {}", all.collect::<Vec<_>>().join(", "));
    let begin = if path.is_empty() { "mscomm".to_owned() } else { format!("mscomm {path}") };
    match VERBS.iter().find(|(of, theirs, _)| *of == path && *theirs == verb) {
        Some((_, _, ours)) => {
            error.remove(ContextKind::SuggestedSubcommand);
            vec![format!("here it is {begin} {ours}"), there_are]
        }
        None => vec![there_are],
    }
}

/// An argument too many.
fn surplus(word: &str, path: &str) -> Vec<String> {
    let is_address = word.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match path {
        "grpc call" | "grpc list" | "grpc describe" if is_address || word.contains(['/', '.']) => {
            vec!["the server is given with -s, as mscomm grpc call Service/Method -s localhost:50051".to_owned()]
        }
        "kafka produce" => vec!["data is given with -d, or on standard input".to_owned()],
        "amqp publish" | "amqp request" => match word.starts_with('@') {
            true => vec!["a file is given with -d, as -d @order.json".to_owned()],
            false => vec!["a queue is named with -k, as -k orders, and data given with -d".to_owned()],
        },
        _ => Vec::new(),
    }
}
