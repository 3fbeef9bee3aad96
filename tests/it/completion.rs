//! Tab in the shells that people use, each on a terminal of its own.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{BINARY, eventually, mscomm, test_env, unique};

/// A shell that completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

/// One that runs.
struct Shell {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    _home: tempfile::TempDir,
}

impl Shell {
    /// Starts it in a sandbox, with the script of the source tree. Its keys are: Tab, and one that shows the line.
    fn start(kind: Kind, before: &str) -> Shell {
        let home = tempfile::tempdir().expect("a folder");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        let scripts = scripts.display();
        let (name, text) = match kind {
            Kind::Bash => (
                "rc",
                format!(
                    "PS1='> '; bind 'set bell-style none'; source {scripts}/mscomm.bash\n\
                     bind -x '\"\\C-x\\C-g\": printf \"\\nLI\"\"NE<%s>\\n\" \"$READLINE_LINE\"'\n\
                     bind '\"\\C-x\\C-k\": kill-whole-line'\n"
                ),
            ),
            Kind::Zsh => (
                ".zshrc",
                format!(
                    "PS1='> '; fpath=({scripts} $fpath); autoload -Uz compinit; compinit -u -D\n\
                     show() {{ zle -I; print -r -- \"LI\"\"NE<$BUFFER>\" }}; zle -N show; bindkey -e; bindkey '^X^G' show; bindkey '^X^K' kill-buffer\n\
                     unsetopt beep; zstyle ':completion:*' list-prompt ''\n"
                ),
            ),
            Kind::Fish => (
                "rc.fish",
                format!(
                    "function fish_prompt; echo '> '; end; function fish_greeting; end; source {scripts}/mscomm.fish\n\
                     function show; printf '\\nLI%s<%s>\\n' NE (commandline | string collect); end\n\
                     bind \\cx\\cg show; bind \\cx\\ck 'commandline \"\"'\n"
                ),
            ),
        };
        std::fs::write(home.path().join(name), text).expect("writes");
        let shell = match kind {
            Kind::Bash => format!("bash --noprofile --rcfile {}/rc -i", home.path().display()),
            Kind::Zsh => "zsh -d -i".to_owned(),
            Kind::Fish => format!("fish --private --no-config -C 'source {}/rc.fish' -i", home.path().display()),
        };
        let line = format!("{before} {BINARY} sandbox -q -- script -qec {} /dev/null", quoted(&shell));
        let folder = Path::new(BINARY).parent().expect("a folder");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
        let mut command = Command::new("sh");
        command.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env_remove("MSCOMM_CONFIG").env_remove("MSCOMM_PROFILE").env_remove("XDG_CONFIG_HOME");
        command.env("PATH", path).env("HOME", home.path()).env("ZDOTDIR", home.path()).env("TERM", "xterm");
        command.env("LC_ALL", "C.UTF-8").env("FOR_A_SECRET", "1").current_dir(home.path());
        let mut child = command.spawn().expect("starts");
        let (keys, mut out) = (child.stdin.take().expect("is piped"), child.stdout.take().expect("is piped"));
        let screen = Arc::new(Mutex::new(String::new()));
        let shared = screen.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut piece) {
                let text = String::from_utf8_lossy(piece.get(..read).unwrap_or_default()).into_owned();
                shared.lock().expect("not poisoned").push_str(&text);
            }
        });
        Shell { child, keys, screen, _home: home }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("takes keys");
        self.keys.flush().expect("takes keys");
    }

    /// What the line is after Tab.
    fn complete(&mut self, typed: &str) -> String {
        let seen = self.screen.lock().expect("not poisoned").len();
        self.press(&format!("{typed}\t\u{18}\u{7}"));
        let shown = eventually("the line is shown", || {
            let screen = self.screen.lock().expect("not poisoned");
            let (_, rest) = screen.get(seen..)?.split_once("LINE<")?;
            rest.split_once(">\r").map(|(line, _)| line.to_owned())
        });
        // None of the terminal's own, which has its say while a line is shown.
        self.press("\u{18}\u{b}");
        shown
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.keys.write_all(b"\x18\x0bexit\r");
        let _ = self.child.wait();
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What Tab makes of a line, in every shell.
const LINES: &[(&str, &str)] = &[
    ("mscomm kaf", "mscomm kafka "),
    ("mscomm kafka ta", "mscomm kafka tail "),
    ("mscomm gen", "mscomm gen"),
    ("mscomm run-in", "mscomm run-in"),
    // Flags, also behind an argument, and none twice.
    ("mscomm kafka tail orders --until-e", "mscomm kafka tail orders --until-end "),
    ("mscomm kafka tail orders --group g --fro", "mscomm kafka tail orders --group g --fro"),
    // Values.
    ("mscomm kafka tail orders -o js", "mscomm kafka tail orders -o json "),
    ("mscomm kafka tail orders --output=js", "mscomm kafka tail orders --output=json "),
    ("mscomm kafka tail orders --from b", "mscomm kafka tail orders --from begin "),
    ("mscomm amqp get q --sasl-mechanism EX", "mscomm amqp get q --sasl-mechanism EXTERNAL "),
    ("mscomm --color al", "mscomm --color always "),
    ("mscomm man kafka to", "mscomm man kafka topic "),
    ("mscomm completions fi", "mscomm completions fish "),
    ("mscomm amqp publish -e amq.fa", "mscomm amqp publish -e amq.fanout "),
    ("mscomm profile show lo", "mscomm profile show local "),
    ("mscomm kafka tail t --password env:FOR_A", "mscomm kafka tail t --password env:FOR_A_SECRET "),
    // Files.
    ("mscomm grpc list --proto rarel", "mscomm grpc list --proto rarely.proto "),
    ("mscomm kafka produce t -d @rarel", "mscomm kafka produce t -d @rarely.proto "),
    // The sides of a bridge, and what answers for another system.
    ("mscomm bridge kafka ta", "mscomm bridge kafka tail "),
    ("mscomm bridge kafka tail orders --t", "mscomm bridge kafka tail orders --t"),
    ("mscomm bridge kafka tail orders --to amqp pu", "mscomm bridge kafka tail orders --to amqp publish "),
    ("mscomm amqp respond q --via grpc ca", "mscomm amqp respond q --via grpc call "),
    ("mscomm kafka respond q --via grpc ca", "mscomm kafka respond q --via grpc call "),
    // The command of a sandbox is completed as if it stood alone.
    ("mscomm sandbox -- mscomm kafka pro", "mscomm sandbox -- mscomm kafka produce "),
    // What the sandbox has.
    ("mscomm kafka tail ord", "mscomm kafka tail orders "),
    ("mscomm kafka request other --reply-topic ord", "mscomm kafka request other --reply-topic orders "),
    ("mscomm -p sandbox kafka tail other --from end ord", "mscomm -p sandbox kafka tail other --from end orders "),
    ("mscomm bridge kafka tail ord", "mscomm bridge kafka tail orders "),
    ("mscomm check --topic ord", "mscomm check --topic orders "),
    ("mscomm check grpc --service hello", "mscomm check grpc --service helloworld.Greeter "),
    ("mscomm check am", "mscomm check amqp "),
    ("mscomm grpc list mscomm.", "mscomm grpc list mscomm.sandbox.v1.Echo "),
    ("mscomm grpc call hello", "mscomm grpc call helloworld.Greeter/SayHello "),
    ("mscomm grpc call Echo/Cl", "mscomm grpc call Echo/ClientStream "),
    ("mscomm grpc describe helloworld.HelloRep", "mscomm grpc describe helloworld.HelloReply "),
    // A profile that is not there has nothing, and is not taken for another one.
    ("mscomm -p nosuch kafka tail ord", "mscomm -p nosuch kafka tail ord"),
    // Nor is anybody asked where a variable may name another profile.
    ("A=1 mscomm kafka tail ord", "A=1 mscomm kafka tail ord"),
    ("A=1 mscomm kafka ta", "A=1 mscomm kafka tail "),
    // What the shell would put there, nobody knows.
    ("mscomm -p $(echo local) kafka ta", "mscomm -p $(echo local) kafka ta"),
    ("mscomm -p $PROFILE kafka tail ord", "mscomm -p $PROFILE kafka tail ord"),
];

fn try_all(kind: Kind) {
    let mut shell = Shell::start(kind, "");
    std::fs::write(shell._home.path().join("rarely.proto"), "").expect("writes");
    for topic in ["orders", "other"] {
        shell.press(&format!("mscomm -q kafka topic create {topic}; echo ma''de {topic}\r"));
        // Keys that come before the shell reads them itself are the terminal's, which has a meaning of its own for some.
        eventually("the topic is made, and the shell ready", || {
            let screen = shell.screen.lock().expect("not poisoned");
            screen.split_once(&format!("made {topic}\r")).filter(|(_, rest)| rest.contains("> ")).map(drop)
        });
    }
    let mut wrong = Vec::new();
    // Bash and fish tell nobody of what stands in front of a command.
    let can_tell = |typed: &str| kind == Kind::Zsh || !typed.starts_with("A=1 mscomm kafka tail");
    for (typed, expected) in LINES.iter().filter(|(typed, _)| can_tell(typed)) {
        let line = shell.complete(typed);
        if line != *expected {
            wrong.push(format!("{typed:?}\n  gives  {line:?}\n  wanted {expected:?}"));
        }
    }
    let fields = [
        ("mscomm grpc call Greeter/SayHello -d '{\"na", "mscomm grpc call Greeter/SayHello -d '{\"name\":"),
        (
            "mscomm grpc call Echo/Unary -d '{\"message\":\"a\",\"fail\":{\"co",
            "mscomm grpc call Echo/Unary -d '{\"message\":\"a\",\"fail\":{\"code\":",
        ),
    ];
    for (typed, expected) in fields {
        let line = shell.complete(typed);
        if line != expected {
            wrong.push(format!("{typed:?}\n  gives  {line:?}\n  wanted {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{kind:?}\n{}", wrong.join("\n"));
}

#[test]
fn bash_completes() {
    try_all(Kind::Bash);
}

#[test]
fn zsh_completes() {
    try_all(Kind::Zsh);
}

#[test]
fn fish_completes() {
    try_all(Kind::Fish);
}

/// A shell's script asks so.
fn offered(line: &str, run: impl FnOnce(crate::support::Run) -> crate::support::Run) -> Vec<String> {
    let done = run(mscomm(&["complete", "fish", line])).run().ok();
    assert_eq!(done.stderr, "");
    done.lines().iter().map(|line| line.split_once('\t').map_or(line.clone(), |(value, _)| value.to_owned())).collect()
}

/// Whatever a profile needs somebody, or a command, for, Tab does without it.
#[test]
fn tab_asks_nobody_and_runs_nothing() {
    let server = test_env("KAFKA");
    let topic = unique("tab");
    mscomm(&["-q", "kafka", "topic", "create", &topic, "-s", &server]).run().ok();
    let folder = tempfile::tempdir().expect("a folder");
    let ran = folder.path().join("ran");
    let config = |more: &str, secret: &str| {
        format!(
            "default = \"p\"\n[profiles.p]\n{more}\n[profiles.p.kafka]\nserver = \"{server}\"\nextra = {{ \"client.rack\" = \"{secret}\" }}\n"
        )
    };
    let touch = format!("${{cmd:sh -c 'touch {}; echo a'}}", ran.display());
    let line = format!("mscomm kafka tail {topic}");
    for (more, secret, is_known) in [
        ("", "a", true),
        ("", touch.as_str(), false),
        ("complete = false", touch.as_str(), false),
        ("", "${prompt:}", false),
        ("complete = true", "${prompt:}", false),
    ] {
        let is_offered = || offered(&line, |run| run.config(&config(more, secret))).contains(&topic);
        match is_known {
            // A busy machine may be too late for a Tab.
            true => eventually("the topic is offered", || is_offered().then_some(())),
            false => assert!(!is_offered(), "{more} {secret}"),
        }
        assert!(!ran.exists(), "{more} {secret}");
    }
    eventually("the topic is offered", || {
        offered(&line, |run| run.config(&config("complete = true", &touch))).contains(&topic).then_some(())
    });
    assert!(ran.exists());
    // What is typed was not agreed to.
    let typed = folder.path().join("typed");
    let secret = format!(
        "mscomm kafka tail --sasl-mechanism PLAIN --username a --password 'cmd:touch {}' {topic}",
        typed.display()
    );
    let found = offered(&secret, |run| run.config(&config("complete = true", "a")));
    assert!(!found.contains(&topic) && !typed.exists(), "{found:?}");
    // A flag behind the cursor may name another profile.
    let asked = |behind: &str| {
        let done = mscomm(&["complete", "fish", &line, "", behind]).config(&config("", "a")).run().ok();
        done.text().contains(&topic)
    };
    assert!(asked("") && asked(" ") && !asked(" -p other"));
    let names = offered("mscomm -p ", |run| run.config(&config("", &touch)));
    assert_eq!(names, ["p", "local"]);
}

/// Nothing is made by asking, and what is no name does not come through.
#[test]
fn what_the_brokers_know() {
    let server = test_env("KAFKA");
    let (topic, group, other) = (unique("known"), unique("group"), unique("not-there"));
    mscomm(&["-q", "kafka", "topic", "create", &topic, "-s", &server]).run().ok();
    mscomm(&["kafka", "tail", &topic, "-s", &server, "--group", &group, "--until-end"]).run().ok();
    let ask = |line: String| offered(&line, |run| run.env("MSCOMM_KAFKA_SERVER", server.clone()));
    eventually("the group is known", || {
        ask(format!("mscomm kafka tail {topic} --group ")).contains(&group).then_some(())
    });
    assert!(ask("mscomm kafka group describe ".to_owned()).contains(&group));
    assert!(ask(format!("mscomm kafka group reset {group} --topic ")).contains(&topic));
    let columns = ask("mscomm kafka group list --columns ".to_owned());
    assert!(columns.contains(&"protocol".to_owned()) && !columns.contains(&"lag".to_owned()), "{columns:?}");
    // Those of one line are offered once.
    let found = ask(format!("mscomm kafka tail {topic} {other}"));
    assert!(!found.contains(&topic) && !found.contains(&other), "{found:?}");
    mscomm(&["kafka", "topic", "describe", &other, "-s", &server]).run().fails(8);
    // A flag says more than the environment.
    assert_eq!(ask(format!("mscomm kafka tail -s 127.0.0.1:1 {topic}")), Vec::<String>::new());
}

/// The subjects of a schema registry, by the flags and the keys that are about it.
#[test]
fn what_the_registry_knows() {
    let (url, subject) = (test_env("REGISTRY"), unique("known-value"));
    let schema = ["kafka", "schema", "register", &subject, "--schema", "-", "--type", "avro", "--registry", &url];
    mscomm(&schema).stdin("\"int\"").run().ok();
    let file = format!("[profiles.local.kafka]\nsasl.password = \"prompt:\"\nregistry.url = \"{url}\"\n");
    for verb in ["get", "diff", "delete", "register", "config"] {
        let found = offered(&format!("mscomm kafka schema {verb} known-value"), |run| run.config(&file));
        assert!(found.contains(&subject), "{verb}: {found:?}");
    }
    let typed = offered(&format!("mscomm kafka schema get --registry {url} known-value"), |run| run);
    assert!(typed.contains(&subject), "{typed:?}");
}

/// Nor is a file that says nothing.
#[test]
fn a_pipe_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("runs");
    assert!(made.success());
    for line in ["mscomm --config PIPE -p ", "mscomm grpc call --proto PIPE ", "mscomm kafka tail --tls-ca PIPE "] {
        let line = line.replace("PIPE", &pipe.display().to_string());
        assert_eq!(offered(&line, |run| run), Vec::<String>::new());
    }
}

/// A server that says nothing is left.
#[test]
fn who_is_silent_is_not_waited_for() {
    let hole = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let server = hole.local_addr().expect("has one").to_string();
    for line in ["mscomm grpc call ", "mscomm kafka tail ", "mscomm grpc call a/B -d '{"] {
        let started = std::time::Instant::now();
        let found = offered(line, |run| {
            run.env("MSCOMM_KAFKA_SERVER", server.clone()).env("MSCOMM_GRPC_SERVER", server.clone())
        });
        assert_eq!(found, Vec::<String>::new());
        // No test of speed: without a limit it would be ten seconds.
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{line}");
    }
}
