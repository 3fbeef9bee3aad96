//! The verbs of `profile` beside those of the file itself: which one is in force, other names, other tools' settings, and
//! what is asked at a terminal.

use std::path::{Path, PathBuf};

use crate::support::{Done, mscomm, test_env, typing};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("config.toml")
    }

    fn profile(&self, args: &[&str]) -> Done {
        let file = self.file();
        let begin = ["--config", file.to_str().expect("UTF-8"), "profile"];
        mscomm(&[&begin[..], args].concat()).run()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).expect("reads")
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path.display().to_string()
    }
}

#[test]
fn the_profile_in_force_and_other_names() {
    let home = Home::new();
    assert_eq!(home.profile(&["add", "a", "kafka.server=h:1"]).ok().text(), "");
    home.profile(&["add", "b", "extends=a"]).ok();
    home.profile(&["use", "a"]).ok();
    assert_eq!(home.profile(&["current"]).ok().text(), "a\n");
    home.profile(&["rename", "a", "main"]).ok().says(&["is called `main` now"]);
    assert_eq!(home.profile(&["current"]).ok().text(), "main\n");
    assert!(home.text().contains("extends = \"main\""), "{}", home.text());
    home.profile(&["rename", "a", "x"]).fails(3).says(&["there is no profile `a`"]);
    home.profile(&["rename", "main", "b"]).fails(3).says(&["`b` exists already"]);
    home.profile(&["rename", "main", "../x"]).fails(3).says(&["bad profile name"]);
    assert_eq!(home.profile(&["remove", "main", "b"]).ok().text(), "");
    assert_eq!(home.profile(&["current"]).ok().text(), "local\n");
    let current = mscomm(&["-v", "profile", "current"]).config("[profiles.z]\n").env("MSCOMM_PROFILE", "z").run().ok();
    assert!(current.text() == "z\n" && current.stderr.contains("* by MSCOMM_PROFILE"), "{}", current.stderr);
    mscomm(&["profile", "current"]).env("MSCOMM_PROFILE", "nosuch").run().fails(3);
}

#[test]
fn a_file_that_is_not_there_hides_nothing() {
    let list = mscomm(&["profile", "list", "-o", "json"]).env("MSCOMM_CONFIG", "/no/such/file").run().ok();
    assert!(list.text().contains("\"local\"") && list.stderr.contains("there is no file /no/such/file"));
}

#[test]
fn settings_of_other_tools() {
    let home = Home::new();
    let kcat = home.write(
        "kcat.conf",
        "bootstrap.servers=k1:9093\nsecurity.protocol=SASL_SSL\nsasl.mechanisms=SCRAM-SHA-512\nsasl.username=app\n\
         sasl.password=env:hunter2${x}\ngroup.id=g\nclient.rack=a\n",
    );
    let done = home.profile(&["import", "a", &kcat]).ok();
    assert!(done.stderr.contains("left out group.id: say --group"), "{}", done.stderr);
    assert!(
        done.stderr.contains("kafka.sasl.password stands in the file in the clear") && !done.stderr.contains("hunter2")
    );
    let done = home.profile(&["import", "a", "amqps://u:literal%3Ap@h/v%2Fw?verify=verify_none&frame_max=8192"]).ok();
    assert!(!done.stderr.contains("literal:p"), "{}", done.stderr);
    let shown = home.profile(&["show", "a"]).ok();
    let values: Vec<String> =
        shown.lines().iter().map(|line| line.split('\t').take(2).collect::<Vec<_>>().join("=")).collect();
    assert_eq!(
        values,
        [
            "amqp.insecure=true",
            "amqp.password=********",
            "amqp.server=amqps://h/v%2Fw?frame_max=8192",
            "amqp.username=u",
            "kafka.extra.client.rack=a",
            "kafka.sasl.mechanism=SCRAM-SHA-512",
            "kafka.sasl.password=********",
            "kafka.sasl.username=app",
            "kafka.server=k1:9093",
            "kafka.tls=true",
        ]
    );
    // What only looks like a reference is the password itself.
    assert!(home.text().contains("$${x}") && home.text().contains("literal:literal:p"), "{}", home.text());
    home.profile(&["import", "a", &kcat]).fails(3).says(&["has kafka already"]);
    let other = home.write("other", "a=b\n");
    home.profile(&["import", "b", &other]).fails(2).says(&["kcat.conf", "client.properties"]);
    home.profile(&["import", "b", "/no/such"]).fails(10).says(&["/no/such"]);
    home.profile(&["import", "b", "amqp://h?nosuch=1"]).fails(2).says(&["nosuch"]);
    // Paths are meant where they are typed, what is no property is not shown, and an unknown protocol is no plain one.
    let folder = home.0.path().canonicalize().expect("is there");
    let import = |text: &str| {
        home.write("client.conf", text);
        let file = home.file();
        let args = ["--config", file.to_str().expect("UTF-8"), "profile", "import", "r", "client.conf"];
        mscomm(&args).folder(&folder).run()
    };
    let done =
        import("bootstrap.servers=k\nsecurity.protocol=SSL\nssl.ca.location=certs/ca.pem\nsasl.password hunter2\n")
            .ok();
    assert!(done.stderr.contains("line 4: it is no NAME=VALUE") && !done.stderr.contains("hunter2"), "{}", done.stderr);
    assert!(home.text().contains(&format!("{}/certs/ca.pem", folder.display())), "{}", home.text());
    home.profile(&["remove", "r"]).ok();
    import("bootstrap.servers=k\nsecurity.protocol=SASL_SLL\nsasl.mechanism=PLAIN\n").fails(2).says(&["SASL_SSL"]);
    let bad = home.write("bad.conf", "bootstrap.servers=k1:x\n");
    home.profile(&["import", "b", &bad]).fails(3).says(&["no port"]);
    assert!(!home.text().contains("profiles.b"));
}

/// A profile that was made of another tool's settings is one that works.
#[test]
fn imported_settings_log_in() {
    let home = Home::new();
    let servers = test_env("KAFKA_SASL");
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"pw\";";
    let java = format!(
        "bootstrap.servers={servers}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config={jaas}\n"
    );
    home.profile(&["import", "p", &home.write("client.properties", &java)]).ok();
    home.profile(&["import", "p", &test_env("AMQP")]).ok();
    let file = home.file();
    let args = ["--config", file.to_str().expect("UTF-8"), "-p", "p", "check"];
    let done = mscomm(&args).run().ok();
    assert!(done.text().contains("logged in by SCRAM-SHA-512") && done.text().contains("logged in as `guest`"));
}

#[test]
fn who_has_no_profile_is_told() {
    let none = mscomm(&["amqp", "get", "q", "-s", "amqp://127.0.0.1:1"]).run().fails(4);
    assert!(!none.stderr.contains("built-in"), "{}", none.stderr);
    // Nobody listens at the local ports, or somebody does and there is nothing to tell.
    let get = |config: &str| mscomm(&["grpc", "list"]).config(config).run();
    let done = get("");
    if done.code == 4 {
        done.says(&["the built-in `local`", "mscomm profile add NAME", "-s"]);
        get("[profiles.a]\n[profiles.b]\n").fails(4).says(&["-p (a, b)", "mscomm profile use NAME"]);
    }
}

#[test]
fn keys_that_do_not_exist_are_told_as_typed() {
    let home = Home::new();
    home.profile(&["add", "a", "kafka.servers=h:1"]).fails(2).says(&["unknown key `kafka.servers`", "`kafka.server`?"]);
    let done = home.profile(&["add", "a", "kafka.sasl.passwordhunter2=x"]).fails(2).says(&["`kafka.sasl.password…`"]);
    assert!(!done.stderr.contains("hunter2"));
    let done = home.profile(&["add", "a", "kafka.zzzzzz=x"]).fails(2).says(&["allowed: kafka.extra"]);
    assert!(!done.stderr.contains("grpc."), "{}", done.stderr);
    let help = mscomm(&["profile", "--help"]).run().ok().text();
    for says in ["mscomm/config.toml", "MSCOMM_CONFIG", "sasl.mechanism", "defaults: bytes"] {
        assert!(help.contains(says), "{says}: {help}");
    }
    let get = mscomm(&["amqp", "get", "q", "-s", "127.0.0.1:1", "--username", "u", "--password", "keyring:x"]);
    let done = get.run().fails(3);
    assert!(cfg!(feature = "keyring") || done.stderr.contains("built without the keyring"), "{}", done.stderr);
}

/// Line by line, as somebody types it.
fn adding(home: &Path, typed: &str) -> String {
    let line = format!("mscomm --config {}/config.toml profile add dev; echo code $?", home.display());
    typing(&line, typed, &[])
}

#[test]
fn who_adds_a_profile_is_asked() {
    let (amqp, kafka) = (test_env("AMQP"), test_env("KAFKA"));
    let address = amqp.rsplit_once('@').expect("a user").1.trim_end_matches('/');
    let home = Home::new();
    // gRPC is left out; a bad address is asked for again; no TLS, and no user.
    let screen = adding(home.0.path(), &format!("\nlocalhost:x\n{address}\nn\n\n{kafka}\nn\n\n"));
    for says in ["neither host:port nor a URI", "logged in as `guest`", "the cluster answered", "code 0"] {
        assert!(screen.contains(says), "{says}: {screen}");
    }
    assert!(
        home.text().contains(&format!("server = \"{address}\"")) && home.text().contains(&kafka),
        "{}",
        home.text()
    );
    assert!(adding(home.0.path(), "").contains("exists already"));
    // One that does not work is written only where that is wanted.
    for (answer, code, is_there) in [("n", "code 1", false), ("", "code 1", false), ("y", "code 0", true)] {
        let home = Home::new();
        let screen = adding(home.0.path(), &format!("127.0.0.1:1\n\n\n\n{answer}\n"));
        assert!(screen.contains("Connection refused") && screen.contains("all the same? [y/N]"), "{screen}");
        assert!(screen.contains(code) && home.file().exists() == is_there, "{screen}");
    }
    // What is no reference is no password that stands on the screen.
    let home = Home::new();
    let screen = adding(home.0.path(), "\n127.0.0.1:1\nn\nu\nnonsense\nenv:NO_SUCH_NAME\n\nn\n");
    assert!(screen.contains("this is none of env:NAME") && screen.contains("NO_SUCH_NAME is not set"), "{screen}");
    assert!(screen.contains("code 1") && !home.file().exists(), "{screen}");
    // Nothing, and Ctrl-D.
    for typed in ["\n\n\n", "\u{4}"] {
        let home = Home::new();
        let screen = adding(home.0.path(), typed);
        assert!(screen.contains("nothing was done") && screen.contains("code 1") && !home.file().exists(), "{screen}");
    }
}
