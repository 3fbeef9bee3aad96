//! `mscomm sandbox --tour`: each step shows the command that a person would type, runs it, and shows its real output.

use anstyle::{AnsiColor, Style};

use super::command::{passed_on, wait};
use super::servers::Servers;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::{Sink, Terminal};

/// A sentence, and the command line that shows it.
const STEPS: &[(&str, &str)] = &[
    ("gRPC: what does the server offer? It is asked by reflection.", "mscomm grpc list"),
    (
        "Call a method; JSON in, canonical JSON out.",
        r#"mscomm grpc call helloworld.Greeter/SayHello -d '{"name":"world"}'"#,
    ),
    (
        "A server stream, one message a line.",
        r#"mscomm grpc call mscomm.sandbox.v1.Echo/ServerStream -d '{"message":"tick","count":3}' -o raw"#,
    ),
    (
        "Kafka: produce lines with keys. The account says what the broker confirmed.",
        r"printf 'alice:hello\nbob:hi\nalice:bye\n' | mscomm kafka produce greetings -K :",
    ),
    (
        "Tail them from the beginning to what is the end now, in any format.",
        r"mscomm kafka tail greetings --from begin --until-end -o '%t[%p]@%o  %k: %s\n'",
    ),
    (
        "The envelope carries key, headers and timestamp, so that a copy is the same message.",
        "mscomm kafka tail greetings --from begin --until-end -o json | mscomm kafka produce copy --input json",
    ),
    ("A consumer group commits only what was written.", "mscomm kafka tail copy --group tour -n 3 -o json"),
];

/// Runs all the steps; the first that fails ends the tour with its exit code.
pub async fn run(servers: &Servers, cx: &Context) -> Result<()> {
    for (sentence, line) in STEPS {
        heading(sentence, line, &cx.terminal)?;
        let mut shell = servers.command("sh".as_ref());
        // `mscomm` in the line is this very binary.
        shell.args(["-c", line]).env("PATH", path()?).stdin(std::process::Stdio::null());
        let child = shell.spawn().map_err(|e| Error::io("cannot run sh", e))?;
        let status = wait(child, cx).await?;
        cx.shutdown.check()?;
        if !status.success() {
            cx.terminal.warn(format!("this step failed: {line}"));
        }
        passed_on(status)?;
    }
    Ok(())
}

/// The search path with the folder of this binary in front.
fn path() -> Result<std::ffi::OsString> {
    let failed = |e| Error::io("cannot find this program's own file", e);
    let own = std::env::current_exe().map_err(failed)?;
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.parent().map(ToOwned::to_owned).into_iter().chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).map_err(|e| Error::io("bad PATH", std::io::Error::other(e)))
}

fn heading(sentence: &str, line: &str, terminal: &Terminal) -> Result<()> {
    let (dim, bold) = match terminal.color_stdout {
        true => (AnsiColor::Cyan.on_default(), Style::new().bold()),
        false => (Style::new(), Style::new()),
    };
    let mut sink = Sink::stdout()?;
    sink.record(|out| {
        out.extend_from_slice(format!("\n{dim}# {sentence}{dim:#}\n{bold}$ {line}{bold:#}\n").as_bytes())
    })?;
    sink.flush()
}
