//! README shows what is printed.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BINARY, chmod};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("reads")
}

/// The commands of all blocks of a console, in their order, each with what is shown below it.
fn commands(text: &str) -> Vec<(String, String)> {
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().expect("a part"));
    let mut all: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => all.push((command.to_owned(), String::new())),
            None => all.last_mut().expect("a command stands first").1.push_str(&format!("{line}\n")),
        }
    }
    all
}

/// Without what is another one each time.
fn masked(text: &str) -> String {
    let is_time = |word: &str| word.len() > 20 && word.starts_with("20") && word.ends_with('Z');
    let line = |line: &str| {
        let words = line.trim_end().split([' ', '"']).map(|word| if is_time(word) { "TIME" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// In the sandbox.
#[test]
fn readme_shows_what_is_printed() {
    let home = tempfile::tempdir().expect("a folder");
    let all = commands(&readme());
    assert!(all.len() > 15, "{}", all.len());
    let mut script = String::from("umask 077\nexport NO_COLOR=1\n");
    for (at, (command, _)) in all.iter().enumerate() {
        // Results go to a terminal, as on the page; what is told beside them would be drawn over there.
        let (command, then) = match command.strip_suffix("; echo $?") {
            Some(command) => (command, "echo $code"),
            None => (command.as_str(), ""),
        };
        let run = format!("{{ {command}\n}} 2>>err.{at}\ncode=$?\ncat err.{at}\n{then}\n");
        std::fs::write(home.path().join(format!("run.{at}")), run).expect("writes");
        script.push_str(&format!("script -qec 'sh run.{at}' /dev/null >out.{at} </dev/null\n"));
    }
    std::fs::write(home.path().join("all.sh"), script).expect("writes");
    std::fs::write(home.path().join("config.toml"), "").expect("writes");
    chmod(&home.path().join("config.toml"), 0o600);
    let folder = Path::new(BINARY).parent().expect("a folder");
    let search = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let mut run = Command::new(BINARY);
    run.args(["-q", "sandbox", "--", "sh", "all.sh"]).current_dir(home.path());
    run.env("PATH", search).env("HOME", home.path()).env("MSCOMM_CONFIG", home.path().join("config.toml"));
    run.env_remove("MSCOMM_PROFILE").env("TERM", "xterm").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    let done = run.output().expect("runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut wrong = Vec::new();
    for (at, (command, shown)) in all.iter().enumerate() {
        let out = std::fs::read(home.path().join(format!("out.{at}"))).expect("was run");
        let out = String::from_utf8_lossy(&out).replace('\r', "");
        if masked(&out) != masked(shown) {
            wrong.push(format!("$ {command}\n{out}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a newcomer reads is short.
#[test]
fn readme_is_short() {
    assert!(readme().len() <= 12_000, "{} bytes", readme().len());
}

/// Each line of a topic, and of README, that begins with mscomm is a command that there is.
#[test]
fn commands_on_pages_are_ours() {
    let topics = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help/topics");
    let topics = std::fs::read_dir(topics).expect("reads").map(|entry| entry.expect("an entry").path());
    let mut texts: Vec<String> = topics.map(|path| std::fs::read_to_string(path).expect("reads")).collect();
    texts.push(readme());
    let (mut count, mut wrong) = (0, Vec::new());
    for text in texts {
        let blocks = text.split("```").skip(1).step_by(2).map(|block| block.replace("\\\n", " "));
        let all = blocks.collect::<Vec<_>>().join("\n");
        let begins = all.match_indices("mscomm ").filter(|(at, _)| {
            let before = all.get(..*at).unwrap_or_default().trim_end_matches(' ');
            before.is_empty() || before.ends_with(['\n', '$'])
        });
        for (at, _) in begins {
            count += 1;
            let words = words(all.get(at..).expect("is there"));
            if let Some(refusal) = mscomm::testing::refusal(words.iter().map(Into::into).collect()) {
                wrong.push(format!("{words:?}\n{refusal}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "{count}");
}

/// The words of a command up to what a shell takes for its own.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    let mut quote = None;
    let mut is_begun = false;
    while let Some(c) = chars.next() {
        let word = words.last_mut().expect("one");
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') => word.extend(chars.next()),
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, is_begun) = (Some(c), true),
            (None, '|' | ';' | '>' | '<' | '&' | '\n') => break,
            (None, '#') if word.is_empty() && !is_begun => break,
            (None, ' ' | '\t') => {
                if !word.is_empty() || is_begun {
                    words.push(String::new());
                }
                is_begun = false;
            }
            (None, '\\') => word.extend(chars.next()),
            (None, c) => word.push(c),
        }
    }
    if words.last().is_some_and(String::is_empty) && !is_begun {
        words.pop();
    }
    words
}
