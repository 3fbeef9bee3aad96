//! Runs the binary in an environment of its own, and waits for things without sleeping through them.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything in a test may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_mscomm");

/// An address or path that `tests/brokers` exports: `test_env("AMQP")` is `MSCOMM_TEST_AMQP`.
pub(crate) fn test_env(name: &str) -> String {
    let name = format!("MSCOMM_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run the tests through tests/run"))
}

/// A name that no other test and no other run uses.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{prefix}-{}-{}-{}", std::process::id(), time.subsec_nanos(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Polls until there is a value; panics at the deadline.
pub(crate) fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(started.elapsed() < DEADLINE, "did not happen within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A command line of the binary.
pub(crate) fn mscomm<S: AsRef<str>>(args: &[S]) -> Run {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(BINARY);
    command.args(args.iter().map(AsRef::as_ref)).stdin(Stdio::null());
    // Nothing of the surroundings but what a program needs to run.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("MSCOMM_")
            || name.starts_with("XDG_")
            || ["NO_COLOR", "TRACEPARENT"].contains(&name.as_str())
        {
            command.env_remove(name);
        }
    }
    command.env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path().join(".config")).env("TZ", "UTC");
    Run { command, stdin: None, home }
}

/// A command line that is being put together.
pub(crate) struct Run {
    pub command: Command,
    stdin: Option<Vec<u8>>,
    pub home: tempfile::TempDir,
}

impl Run {
    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Run {
        self.command.env(name, value.into());
        self
    }

    /// Gives it standard input.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Run {
        self.stdin = Some(bytes.into());
        self
    }

    /// Connects standard output to a file.
    pub(crate) fn folder(mut self, path: &Path) -> Run {
        self.command.current_dir(path);
        self
    }

    pub(crate) fn stdout_to(mut self, path: &str) -> Run {
        let file = std::fs::OpenOptions::new().write(true).open(path).expect(path);
        self.command.stdout(file);
        self
    }

    /// Writes the configuration file of this command's home, as the owner alone may read it.
    pub(crate) fn config(self, text: &str) -> Run {
        let path = self.config_path();
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("writes");
        chmod(&path, 0o600);
        self
    }

    /// Where the configuration file of this command is looked for.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.home.path().join(".config/mscomm/config.toml")
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Done {
        self.start_piped(true).wait()
    }

    /// Starts it with standard output and error piped.
    pub(crate) fn start(self) -> Running {
        self.start_piped(true)
    }

    /// Starts it with standard output as it was set up by the caller.
    pub(crate) fn start_with_own_stdout(self) -> Running {
        self.start_piped(false)
    }

    /// As [`Run::run`], with standard output as it was set up.
    pub(crate) fn run_with_own_stdout(self) -> Done {
        self.start_piped(false).wait()
    }

    /// As [`Run::run`], without a standard output, as a shell's `>&-` leaves it.
    pub(crate) fn run_without_stdout(self) -> Done {
        self.through_shell("exec \"$0\" \"$@\" >&-").start_piped(false).wait()
    }

    /// As [`Run::run`], without a standard input, as a shell's `<&-` leaves it.
    pub(crate) fn run_without_stdin(self) -> Done {
        self.through_shell("exec \"$0\" \"$@\" <&-").run()
    }

    /// As [`Run::run`], with no more memory than so many KiB, all mappings counted.
    #[cfg(feature = "sandbox")]
    pub(crate) fn run_in_memory(self, kib: u32) -> Done {
        self.through_shell(&format!("ulimit -v {kib} && exec \"$0\" \"$@\"")).run()
    }

    fn through_shell(mut self, line: &str) -> Run {
        let mut shell = Command::new("/bin/sh");
        shell.stdin(Stdio::null());
        shell.arg("-c").arg(line);
        shell.arg(self.command.get_program()).args(self.command.get_args());
        shell.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = shell;
        self
    }

    fn start_piped(mut self, stdout: bool) -> Running {
        if stdout {
            self.command.stdout(Stdio::piped());
        }
        if self.stdin.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.command.stderr(Stdio::piped()).spawn().expect("starts");
        // A pipe that the caller set up stays with the child, for the caller to take.
        if let Some(bytes) = self.stdin.take()
            && let Some(mut pipe) = child.stdin.take()
        {
            // A command that fails early closes its input; that is not the test's matter.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let stdout = if stdout { child.stdout.take().map(collect) } else { None };
        let stderr = child.stderr.take().map(collect);
        Running { child, stdout, stderr, home: self.home }
    }
}

type Collected = std::sync::Arc<std::sync::Mutex<(Vec<u8>, bool)>>;

/// Reads a pipe on a thread, so that what came so far can be looked at.
fn collect(mut pipe: impl std::io::Read + Send + 'static) -> Collected {
    let all = Collected::default();
    let into = all.clone();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let n = pipe.read(&mut chunk).unwrap_or(0);
            let mut all = into.lock().expect("not poisoned");
            all.0.extend_from_slice(&chunk[..n]);
            if n == 0 {
                all.1 = true;
                return;
            }
        }
    });
    all
}

/// A command that runs.
pub(crate) struct Running {
    pub child: Child,
    stdout: Option<Collected>,
    stderr: Option<Collected>,
    home: tempfile::TempDir,
}

impl Running {
    /// What came on standard output so far.
    pub(crate) fn stdout(&self) -> Vec<u8> {
        self.stdout.as_ref().map(|s| s.lock().expect("not poisoned").0.clone()).unwrap_or_default()
    }

    /// What came on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        let bytes = self.stderr.as_ref().map(|s| s.lock().expect("not poisoned").0.clone());
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// Waits until standard output has so many lines.
    pub(crate) fn wait_for_lines(&self, count: usize) -> Vec<String> {
        eventually(&format!("{count} lines, stderr: {}", self.stderr()), || {
            let text = String::from_utf8_lossy(&self.stdout()).into_owned();
            (text.matches('\n').count() >= count).then(|| text.lines().map(str::to_owned).collect())
        })
    }

    /// Sends a signal: "INT", "TERM", "KILL", "STOP"; or several, one right after the other: "TERM INT".
    pub(crate) fn signal(&self, names: &str) {
        let pid = self.child.id();
        let kills: Vec<String> = names.split(' ').map(|name| format!("kill -s {name} {pid}")).collect();
        // One shell with its own `kill`, so that they lie no more than a moment apart.
        let sent = Command::new("sh").args(["-c", &kills.join(" && ")]).status().expect("sh runs");
        assert!(sent.success());
    }

    /// Waits for its end; panics at the deadline.
    pub(crate) fn wait(mut self) -> Done {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                break status;
            }
            if started.elapsed() > DEADLINE {
                let (out, err) = (self.stdout(), self.stderr());
                self.child.kill().expect("is killed");
                self.child.wait().expect("ends");
                panic!("still runs after {DEADLINE:?}\nstdout: {}\nstderr: {err}", String::from_utf8_lossy(&out));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let finished = |pipe: &Option<Collected>| {
            pipe.as_ref().map(|p| {
                eventually("the end of a pipe", || p.lock().expect("not poisoned").1.then_some(()));
                p.lock().expect("not poisoned").0.clone()
            })
        };
        Done {
            code: code(status),
            stdout: finished(&self.stdout).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&finished(&self.stderr).unwrap_or_default()).into_owned(),
            _home: self.home,
        }
    }
}

/// A death by signal is shown as a shell does: 128 + its number.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A command that has ended.
pub(crate) struct Done {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// Kept until the test has looked at it.
    _home: tempfile::TempDir,
}

impl Done {
    /// Panics with all its output unless it exited with 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Done {
        self.exits(0)
    }

    /// Panics with all its output unless it exited with `code`, said why, and printed nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Done {
        let done = self.exits(code);
        assert!(!done.stderr.is_empty(), "nothing on stderr");
        assert!(done.stdout.is_empty(), "on stdout: {}", done.text());
        done
    }

    /// Panics with all its output unless it exited with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Done {
        assert_eq!(self.code, code, "exit code\nstdout: {}\nstderr: {}", self.text(), self.stderr);
        self
    }

    /// Panics unless standard error has all these texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Done {
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in stderr:\n{}", self.stderr);
        }
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output's lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

/// Sets a file's permissions.
pub(crate) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
}

/// An address that takes packets and answers nothing: its queue of connections is full.
pub(crate) struct BlackHole {
    pub address: std::net::SocketAddr,
    _open: (tokio::net::TcpListener, Vec<tokio::net::TcpStream>, tokio::runtime::Runtime),
}

impl BlackHole {
    pub(crate) fn dig() -> BlackHole {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (listener, filling) = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind(([127, 0, 0, 1], 0).into()).expect("binds");
            let listener = socket.listen(1).expect("listens");
            let address = listener.local_addr().expect("an address");
            let mut filling = Vec::new();
            let connect = || tokio::net::TcpStream::connect(address);
            while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), connect()).await {
                filling.push(stream.expect("connects"));
                assert!(filling.len() < 1000, "never full");
            }
            (listener, filling)
        });
        let address = listener.local_addr().expect("an address");
        BlackHole { address, _open: (listener, filling, runtime) }
    }
}

/// Runs a shell line on a terminal on which somebody types this.
pub(crate) fn typing(line: &str, typed: &str, environment: &[(&str, &str)]) -> String {
    let folder = Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped()).env("PATH", path);
    command.env("HOME", home.path()).env("NO_COLOR", "1").env("TERM", "xterm");
    for name in ["CI", "MSCOMM_CONFIG", "MSCOMM_PROFILE", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    let mut child = command.envs(environment.iter().copied()).spawn().expect("script runs");
    child.stdin.take().expect("is piped").write_all(typed.as_bytes()).expect("takes keys");
    let out = child.wait_with_output().expect("ends");
    String::from_utf8_lossy(&out.stdout).replace('\r', "")
}
