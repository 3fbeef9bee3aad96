//! Builds the context and dispatches the command; the only place that writes an error to standard error.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use tokio::runtime::Builder;

use crate::args::{Deferred, deferring, with_flags};
use crate::cli::complete::{self, Completion};
use crate::cli::{self, AmqpCommand, Cli, Command, Global, KafkaCommand, ProfileCommand};
use crate::config::ConfigSource;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::net::{CONNECT_TIMEOUT, Policy, Step, Told};
use crate::output::{ColorWhen, Printer, Terminal, escape_text, is_asked};
#[cfg(feature = "sandbox")]
use crate::sandbox;
use crate::sections::section_infos;
use crate::shutdown::{self, Shutdown};
use crate::values::FlagDefault;
use crate::{across, amqp, config, exit, grpc, kafka, values};

/// Runs one command line and gives its exit code.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> u8 {
    let argv: Vec<OsString> = argv.into_iter().collect();
    // Scripts ask this all the time, and it needs no command tree.
    if matches!(argv.as_slice(), [_, flag] if flag == "--version" || flag == "-V") {
        return finish(print_version(), &Terminal::detect(ColorWhen::Auto, false, false));
    }
    if argv.iter().any(|arg| arg == "kafka") {
        kafka::begin();
    }
    let controls = argv.iter().any(|arg| arg.to_string_lossy().chars().any(char::is_control));
    let color = color_of(&argv);
    let cli = match parse(&argv, &[]) {
        Ok(cli) => cli,
        Err(e) => {
            let printed = if e.use_stderr() && controls {
                // What was typed is shown as part of the message.
                std::io::stderr().write_all(escape_text(&e.render().to_string()).as_bytes())
            } else {
                printed_in_color(&e, color)
            };
            if e.use_stderr() {
                return exit::code(Kind::Usage);
            }
            let printed = printed.and_then(|()| std::io::stdout().flush());
            let printed = printed.map_err(|e| Error::io("cannot write to standard output", e));
            return finish(printed, &Terminal::detect(ColorWhen::Auto, false, false));
        }
    };
    let source = config_source(&cli.global);
    let (cli, found) = with_defaults(cli, &argv, &source);
    let terminal = Terminal::detect(cli.global.color, cli.global.quiet, cli.global.verbose);
    finish(found.and_then(|()| dispatch(cli, source, terminal)), &terminal)
}

/// The command line with what the user wants flags to be that were not typed.
fn with_defaults(typed: Cli, argv: &[OsString], source: &ConfigSource) -> (Cli, Result<()>) {
    let defaults = match config::defaults(source, typed.command.uses_profiles(), std::io::stdout().is_terminal()) {
        // Who types, and a sandbox's command, have all the time there is.
        Ok(mut defaults) => {
            defaults.retain(|default| typed.command.connects() || !matches!(default.flag.as_str(), "timeout" | "wait"));
            if defaults.is_empty() {
                return (typed, Ok(()));
            }
            defaults
        }
        // Who reads the help, or mends the file, can do without.
        Err(error) if !typed.command.connects() => {
            Terminal::detect(typed.global.color, typed.global.quiet, false).warn(error.chain());
            return (typed, Ok(()));
        }
        Err(error) => return (typed, Err(error)),
    };
    // What is read without them can be read with them, but for a form of output that this verb does not have.
    let without = |flag: &str| -> Vec<FlagDefault> { defaults.iter().filter(|d| d.flag != flag).cloned().collect() };
    let global: Vec<FlagDefault> = defaults.iter().filter(|default| !default.is_output).cloned().collect();
    let read = [defaults.clone(), without("output"), global];
    let Some(mut cli) = read.iter().find_map(|defaults| parse(argv, defaults).ok()) else { return (typed, Ok(())) };
    // What was typed wins over its opposite.
    cli.global.verbose &= !typed.global.quiet;
    cli.global.quiet &= !typed.global.verbose;
    (cli, Ok(()))
}

/// What `--color` says on a command line that could not be read, or that asks for help.
fn color_of(argv: &[OsString]) -> Option<ColorWhen> {
    let at = argv.iter().position(|arg| arg == "--color").map(|at| at + 1);
    let behind = at.and_then(|at| argv.get(at)).and_then(|when| when.to_str());
    let joined = argv.iter().find_map(|arg| arg.to_str()?.strip_prefix("--color="));
    behind.or(joined).and_then(|when| clap::ValueEnum::from_str(when, false).ok())
}

/// Prints what clap has to say, in colours where these are wanted.
fn printed_in_color(e: &clap::Error, color: Option<ColorWhen>) -> std::io::Result<()> {
    let text = match color {
        None | Some(ColorWhen::Auto) => return e.print(),
        Some(ColorWhen::Always) => e.render().ansi().to_string(),
        Some(ColorWhen::Never) => e.render().to_string(),
    };
    match e.use_stderr() {
        true => std::io::stderr().write_all(text.as_bytes()),
        false => std::io::stdout().write_all(text.as_bytes()),
    }
}

/// What is wrong with a command line, as it is told; `None` when nothing is.
pub fn refusal(argv: Vec<OsString>) -> Option<String> {
    parse(&argv, &[]).err().map(|e| e.render().to_string())
}

/// Reads the command line. The tree of commands is not given back: that takes as long as a tenth of the start, and the
/// process ends soon or needs no memory.
fn parse(argv: &[OsString], defaults: &[FlagDefault]) -> Result<Cli, clap::Error> {
    let argv = with_wait_joined(argv.to_vec());
    let tree = match argv.iter().any(|arg| arg == "--help") {
        true => cli::help::with_examples(cli::tree::tree()),
        false => with_flags(Cli::command(), defaults),
    };
    let words = || argv.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>();
    if argv.iter().any(|arg| arg.as_encoded_bytes().starts_with(b"-")) {
        let words = words();
        if let Some(error) = cli::habits::one_dash(&words).or_else(|| cli::habits::pem_as_key(&words)) {
            return Err(error);
        }
    }
    let mut tree = std::mem::ManuallyDrop::new(tree);
    let matches = deferring(defaults, || tree.try_get_matches_from_mut(argv.iter()));
    let cli = matches.and_then(|mut m| Cli::from_arg_matches_mut(&mut m).map_err(|e| e.format(&mut tree)));
    cli.map_err(|e| {
        let advised = match e.kind() {
            ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
                cli::habits::advised(e, &words(), &cli::tree::tree())
            }
            _ => e,
        };
        cli::refusal::masked(advised, &argv)
    })
}

/// Makes `--wait=2s` of `--wait 2s`: the flag is complete without a value, and a duration is nothing else's argument.
fn with_wait_joined(argv: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(argv.len());
    let mut ended = false;
    for arg in argv {
        ended |= arg == "--";
        match joined.last_mut() {
            Some(last) if !ended && last == "--wait" && arg.to_str().is_some_and(|a| values::duration(a).is_ok()) => {
                last.push("=");
                last.push(arg);
            }
            _ => joined.push(arg),
        }
    }
    joined
}

/// Prints the error that ended the command, and gives the exit code.
fn finish(ended: Result<()>, terminal: &Terminal) -> u8 {
    match ended {
        Ok(()) => 0,
        Err(error) => {
            match error.kind() {
                Kind::ClosedPipe | Kind::Child(_) => {}
                // Who asked for it needs no explanation.
                Kind::Interrupted => terminal.note(error.chain()),
                _ => terminal.error(&error),
            }
            exit::code(error.kind())
        }
    }
}

fn print_version() -> Result<()> {
    Printer::print(concat!("mscomm ", env!("CARGO_PKG_VERSION"), "\n"))
}

fn dispatch(cli: Cli, source: ConfigSource, terminal: Terminal) -> Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Grpc(Deferred(args)) => {
            with_runtime(one_thread(), global, source, terminal, async |cx| grpc::run(*args, cx).await)
        }
        Command::Amqp(Deferred(args)) => {
            let runtime = if args.starts_commands() { one_thread() } else { two_threads() };
            with_runtime(runtime, global, source, terminal, async |cx| match *args {
                AmqpCommand::Own(command) => amqp::run(command, cx).await,
                AmqpCommand::Respond(Deferred(args)) => across::respond::run(*args, cx).await,
            })
        }
        Command::Kafka(Deferred(args)) => {
            let runtime = match &*args {
                // librdkafka serves its connections itself, and nothing in this verb waits without giving way.
                KafkaCommand::Own(kafka::Command::Tail(_)) => one_thread(),
                KafkaCommand::Respond(Deferred(args)) if args.starts_commands() => one_thread(),
                _ => two_threads(),
            };
            with_runtime(runtime, global, source, terminal, async |cx| match *args {
                KafkaCommand::Own(command) => kafka::run(command, cx).await,
                KafkaCommand::Respond(Deferred(args)) => across::respond::run(*args, cx).await,
            })
        }
        Command::Bridge(Deferred(args)) => {
            with_runtime(two_threads(), global, source, terminal, async |cx| across::bridge::run(*args, cx).await)
        }
        Command::Check(Deferred(args)) => {
            with_runtime(two_threads(), global, source, terminal, async |cx| across::check::run(*args, cx).await)
        }
        #[cfg(feature = "sandbox")]
        Command::Sandbox(Deferred(args)) => {
            with_runtime(two_threads(), global, source, terminal, async |cx| sandbox::run(*args, cx).await)
        }
        #[cfg(feature = "sandbox")]
        Command::RunInSandbox(args) => sandbox::runner::run(args),
        Command::Profile(Deferred(args)) => match *args {
            ProfileCommand::Own(args) if args.asks().is_some() && is_asked() => {
                let name = args.asks().unwrap_or_default().to_owned();
                with_runtime(two_threads(), global, source, terminal, async |cx| across::setup::run(&name, cx).await)
            }
            ProfileCommand::Own(args) => config::verbs::run(args, &source, &terminal),
        },
        Command::Completions { shell } => cli::generate::completions(shell),
        Command::Complete(args) => complete(args, terminal),
        Command::Help { words } => cli::help::run(&words, &terminal),
        Command::Man { command } => cli::generate::man(&command),
        Command::Generate { folder } => cli::generate::all(&folder),
    }
}

/// Answers a completion script. A server that is asked gets what a command would give it, but for what would have to be asked
/// of somebody else first.
fn complete(args: complete::Args, terminal: Terminal) -> Result<()> {
    // On a thread of its own: a file that says nothing (a pipe) holds up whoever opens it.
    let (sender, answer) = std::sync::mpsc::channel();
    shutdown::spawn("complete", move || {
        // Nobody waits for it any more, where it came too late.
        let _ = sender.send(completed(&args, terminal));
    })?;
    let answer = answer.recv_timeout(complete::LATEST).unwrap_or_else(|_| Ok(String::new()))?;
    Printer::print(answer)
}

fn completed(args: &complete::Args, terminal: Terminal) -> Result<String> {
    let tree = complete::Tree::default();
    let mut completion = Completion::new(args, &tree, config_source);
    if let Some((asked, global)) = completion.question() {
        let (terminal, source) = (Terminal { quiet: true, verbose: false, ..terminal }, config_source(&global));
        with_runtime(one_thread(), global, source, terminal, async |cx| {
            let config = ConfigSource { is_quiet: true, ..cx.config.clone() };
            completion.ask(asked, &Context { config, ..cx.clone() }).await;
            Ok(())
        })?;
    }
    Ok(completion.answer())
}

fn config_source(global: &Global) -> ConfigSource {
    ConfigSource {
        file: global.config.clone(),
        profile: global.profile.clone(),
        deadline: deadline(global),
        sections: section_infos,
        is_quiet: false,
        fell_back: Arc::default(),
        read: Arc::default(),
    }
}

fn deadline(global: &Global) -> Option<Instant> {
    global.timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// For one connection, and for commands: without threads to wake, a unary call takes a quarter less, a command a tenth.
fn one_thread() -> Builder {
    Builder::new_current_thread()
}

/// For connections that are to be served while the verb itself waits for something.
fn two_threads() -> Builder {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2);
    runtime
}

fn with_runtime(
    mut runtime: Builder,
    global: Global,
    source: ConfigSource,
    terminal: Terminal,
    work: impl AsyncFnOnce(&Context) -> Result<()>,
) -> Result<()> {
    let runtime = runtime.enable_all().build().map_err(|e| Error::io("cannot start", e))?;
    // One of it, for as long as the process lives.
    let on_wait: &'static _ = Box::leak(Box::new(move |error: &Error| {
        terminal.note(format!("trying again until it works: {}", error.chain()))
    }));
    let cx = Context {
        shutdown: Shutdown::install(global.timeout)?,
        policy: Policy {
            connect_timeout: global.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            wait: global.wait,
            on_wait,
            say: Box::leak(Box::new(move |told: Told<'_>| match told {
                Told::Seeks(address) => terminal.trace(format!("connecting to {address}")),
                Told::Begins(_) => {}
                Told::Asked(line) => terminal.trace(line),
                Told::Done(Step { found, took, .. }) => {
                    terminal.trace(format!("{found} ({})", values::millis(*took)));
                }
            })),
        },
        terminal,
        config: source.until(deadline(&global)),
    };
    let ended = runtime.block_on(work(&cx));
    // Whatever still runs (a read from a terminal, a connection that does not close) must not keep the process.
    runtime.shutdown_background();
    match (&ended, cx.shutdown.reason()) {
        // Ctrl-C reaches the reader at the other end of the pipe, too; that it left first is not the news.
        (Err(error), Some(reason)) if error.kind() == Kind::ClosedPipe => Err(reason.error()),
        (Err(error), None) if error.kind() == Kind::Connect => {
            let advice = cx.config.advice();
            ended.map_err(|error| match advice {
                Some(advice) => error.hint(advice),
                None => error,
            })
        }
        _ => ended,
    }
}
