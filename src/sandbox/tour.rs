//! `mscomm sandbox --tour`: each step shows the command that a person would type, runs it, and shows its real output.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::command::wait;
use super::environment::Environment;
use super::exit_code::passed_on;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::output::{Printer, Terminal, is_asked, question};

/// What a step says, and the command that shows it. At most 78 columns wide.
struct Step(&'static str, &'static str);

/// A part of the tour.
struct Part(&'static str, &'static [Step]);

const PARTS: &[Part] = &[
    Part(
        "gRPC",
        &[
            Step("What does the server offer? It is asked by reflection.", "mscomm grpc list"),
            Step(
                "A call and its reply: JSON in, canonical JSON out.",
                r#"mscomm grpc call helloworld.Greeter/SayHello -d '{"name":"world"}'"#,
            ),
            Step(
                "A server stream, one message a line.",
                r#"mscomm grpc call mscomm.sandbox.v1.Echo/ServerStream -o raw \
    -d '{"message":"tick","count":3,"delay":"0.1s"}'"#,
            ),
        ],
    ),
    Part(
        "RabbitMQ",
        &[
            Step(
                "Publish: a message a line. The account says what the broker confirmed.",
                r"mscomm amqp queue declare orders
printf 'tea\nmilk\n' | mscomm amqp publish -k orders -H 'trace: 42'",
            ),
            Step("Consume: each message is acked once it was written.", "mscomm amqp consume orders -n 2"),
            Step(
                "Service B answers what is asked through a queue, by any program; A asks.",
                r#"mscomm amqp queue declare questions
mscomm -q amqp respond questions -n 1 --exec "sed 's/.*tea.*/2 EUR/'" &
    mscomm -q amqp request -k questions -d 'what does the tea cost?'; wait"#,
            ),
            Step(
                "Here B is a gRPC service: a request is done once its answer is confirmed.",
                r#"mscomm -q amqp respond questions -n 3 --via grpc call Greeter/SayHello &
    printf '{"name":"%s"}\n' tea milk cake |
        mscomm -q amqp request -k questions -j 3; wait"#,
            ),
        ],
    ),
    Part(
        "Kafka",
        &[
            Step(
                "Make a topic, and produce lines with keys.",
                r"mscomm kafka topic create orders
printf 'alice:tea\nbob:milk\nalice:cake\n' |
    mscomm kafka produce orders -K : -H trace=42",
            ),
            Step(
                "Tail them from the beginning to what is the end now, in any format.",
                r"mscomm kafka tail orders --from begin --until-end -o '%p@%o %k wants %s\n'",
            ),
            Step("A group commits only what was written.", "mscomm kafka tail orders --group shop -n 3 -o '%k: %s\\n'"),
            Step(
                "A command for each record, which is done once it exits with 0.",
                "mscomm kafka tail orders --from begin --until-end --exec 'tr a-z A-Z'",
            ),
        ],
    ),
    Part(
        "All together",
        &[
            Step(
                "A bridge: from Kafka to RabbitMQ, with key, header and time...",
                r"mscomm amqp queue declare carried
mscomm bridge kafka tail orders --from begin -n 1 \
    --to amqp publish -k carried
mscomm amqp get carried -o 'queue %t%k: %s\n'",
            ),
            Step(
                "...and home unchanged. It leaves its queue once Kafka has confirmed it.",
                r"mscomm kafka topic create home
mscomm bridge amqp consume carried -n 1 --to kafka produce home
mscomm kafka tail home --from begin --until-end -o '%k wants %s (%h, at %T)\n'",
            ),
        ],
    ),
];

/// How long a step may take: one that waits for what an earlier one has lost would wait for ever.
const LIMIT: Duration = Duration::from_secs(20);

const END: &str = "\
That was all real, in one process, and is gone now. `mscomm sandbox -- bash`
starts a shell with the same servers; `mscomm --help` has the rest.";

/// Runs all the steps; the first that fails ends the tour with its exit code.
///
/// # Errors
/// `Kind::Child` with the code of the command that failed, `Kind::Deadline` for one that does not end, `Kind::Io`.
pub(crate) async fn run(environment: &Environment, pauses: bool, cx: &Context) -> Result<()> {
    let pauses = pauses && cx.terminal.stdout && is_asked();
    for (at, Part(title, steps)) in PARTS.iter().enumerate() {
        if pauses && at > 0 && !goes_on(title, cx).await? {
            return Ok(());
        }
        show(&cx.terminal, AnsiColor::Green, &format!("\n=== {title} ===\n"))?;
        for Step(sentence, script) in *steps {
            show(&cx.terminal, AnsiColor::Cyan, &format!("\n# {sentence}\n"))?;
            for command in commands(script) {
                show_command(&cx.terminal, &command)?;
                let mut shell = environment.command("sh".as_ref());
                // `mscomm` in the line is this very binary.
                shell.args(["-c", &command]).env("PATH", path()?).stdin(std::process::Stdio::null());
                if !cx.terminal.color_stdout {
                    shell.env("NO_COLOR", "1");
                }
                let child = shell.spawn().map_err(|e| Error::io("cannot run sh", e))?;
                let late = || Error::new(Kind::Deadline, format!("this step did not end in {LIMIT:?}: {command}"));
                let status = tokio::time::timeout(LIMIT, wait(child, cx)).await.map_err(|_| late())??;
                cx.shutdown.check()?;
                if !status.success() {
                    cx.terminal.warn(format!("this step failed: {command}"));
                }
                passed_on(status)?;
            }
        }
    }
    show(&cx.terminal, AnsiColor::Green, &format!("\n{END}\n"))
}

/// Whether the next part is wanted.
async fn goes_on(title: &str, cx: &Context) -> Result<bool> {
    show(&cx.terminal, AnsiColor::Green, "\n")?;
    let answer = question(&format!("Enter goes on to {title}, q ends the tour"), &cx.shutdown).await;
    cx.shutdown.check()?;
    Ok(answer.is_ok_and(|answer| !answer.to_lowercase().starts_with('q')))
}

/// The commands of a script: a line that is indented goes on with the one before.
fn commands(script: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in script.lines() {
        match commands.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => commands.push(line.to_owned()),
        }
    }
    commands
}

/// The search path with the folder of this binary in front.
fn path() -> Result<std::ffi::OsString> {
    let failed = |e| Error::io("cannot find this program's own file", e);
    let own = std::env::current_exe().map_err(failed)?;
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.parent().map(ToOwned::to_owned).into_iter().chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).map_err(|e| Error::io("bad PATH", std::io::Error::other(e)))
}

fn show_command(terminal: &Terminal, command: &str) -> Result<()> {
    let bold = if terminal.color_stdout { Style::new().bold() } else { Style::new() };
    write(&format!("{bold}$ {command}{bold:#}\n"))
}

fn show(terminal: &Terminal, color: AnsiColor, text: &str) -> Result<()> {
    let style = if terminal.color_stdout { color.on_default() } else { Style::new() };
    write(&format!("{style}{text}{style:#}"))
}

fn write(text: &str) -> Result<()> {
    Printer::print(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_on_a_terminal() {
        for Part(_, steps) in PARTS {
            for Step(sentence, script) in *steps {
                // Behind `# ` and `$ `.
                for line in std::iter::once(*sentence).chain(script.lines()) {
                    assert!(line.len() <= 78, "{line}");
                }
            }
        }
        assert!(END.lines().all(|line| line.len() < 80));
    }
}
