//! The command tree as a whole: what must hold for every flag, and what is generated from it.

use std::path::Path;

use mscomm::testing::{section_infos, tree};

use crate::support::mscomm;

fn walk(command: &clap::Command, visit: &mut impl FnMut(&clap::Command)) {
    visit(command);
    for sub in command.get_subcommands() {
        walk(sub, visit);
    }
}

#[test]
fn every_argument_is_described() {
    tree().debug_assert();
    let mut wrong = Vec::new();
    walk(&tree(), &mut |command| {
        let path = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
        if command.get_about().is_none() {
            wrong.push(format!("{path}: no description"));
        }
        for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
            let name = arg.get_id();
            if arg.get_help().is_none_or(|h| h.to_string().is_empty()) {
                wrong.push(format!("{path} {name}: no help"));
            }
            let values = arg.get_value_names().unwrap_or_default();
            let takes = arg.get_action().takes_values();
            if takes && values.iter().any(|v| v.as_str() != v.to_uppercase()) {
                wrong.push(format!("{path} {name}: value name {values:?} is not uppercase"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// They are those of the full build.
#[cfg(feature = "sandbox")]
#[test]
fn generated_files_are_in_step() {
    let made = tempfile::tempdir().expect("a folder");
    // What an older tree left goes, what is somebody else's stays out of it.
    let stale = ["man/mscomm-gone.1", "completions/mscomm.csh"].map(|name| made.path().join(name));
    let other = made.path().join("man/other.1");
    for path in stale.iter().chain([&other]) {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, "").expect("is written");
    }
    mscomm(&["generate", made.path().to_str().expect("UTF-8")]).run().ok();
    std::fs::remove_file(other).expect("is still there");
    let committed = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["completions", "man"] {
        let names = |root: &Path| {
            let mut names: Vec<_> = std::fs::read_dir(root.join(folder))
                .expect(folder)
                .map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"))
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(made.path()), names(committed), "{folder}/: run `cargo run -- generate .`");
        for name in names(committed) {
            let path = Path::new(folder).join(name);
            let read = |root: &Path| std::fs::read(root.join(&path)).expect("reads");
            assert!(read(made.path()) == read(committed), "{}: run `cargo run -- generate .`", path.display());
        }
    }
}

/// Every protocol is a command and has a section of the profile, both of the same name: what walks the sections
/// (`profile`, the man page, the sandbox) leaves no protocol out, and no section is one that nobody can use.
#[test]
fn every_protocol_has_a_section() {
    let connects = |command: &clap::Command| {
        let mut found = false;
        walk(command, &mut |c| found |= c.get_arguments().any(|arg| arg.get_long() == Some("server")));
        found
    };
    let tree = tree();
    // `check` goes to all of them.
    let protocols = tree.get_subcommands().filter(|c| connects(c) && c.get_name() != "check");
    let mut protocols: Vec<_> = protocols.map(|c| c.get_name().to_owned()).collect();
    let mut sections: Vec<_> = section_infos().iter().map(|info| info.name.to_owned()).collect();
    let done = mscomm(&["profile", "list", "-o", "json"]).run().ok();
    let listed: serde_json::Value = serde_json::from_slice(&done.stdout).expect("an object");
    for name in &sections {
        assert!(listed[name].is_string(), "{name} is not in {listed}");
    }
    protocols.sort();
    sections.sort();
    assert_eq!(protocols, sections, "commands that connect, and sections of a profile (section_infos)");
}

#[test]
fn usage_errors_are_2_and_say_what_is_allowed() {
    for (args, says) in [
        (&["nonsense"][..], "unrecognized subcommand"),
        (&["kafka", "tail"], "required"),
        (&["--timeout", "5", "kafka", "tail", "t"], "did you mean `5s`"),
        (&["--timeout", "-1s", "kafka", "tail", "t"], "negative"),
        (&["--timeout", "1.5x", "kafka", "tail", "t"], "whole number"),
        (&["--color", "maybe", "profile", "list"], "auto, always, never"),
        (&["-q", "-v", "profile", "list"], "cannot be used with"),
        (&["man", "nonsense"], "allowed"),
        (&["completions", "tcsh"], "possible values"),
        (&["no\u{1b}[31msub"], "unrecognized subcommand"),
        (&["kafka", "tail", "t", "-o", "nonsense"], "allowed: pretty, raw, json"),
        (&["kafka", "tail", "t", "-o", "%x"], "unknown token `%x`"),
    ] {
        let done = mscomm(args).run().fails(2).says(&[says]);
        assert!(!done.stderr.contains('\u{1b}'), "{:?}", done.stderr);
    }
}

#[test]
fn help_and_version_are_results() {
    for args in [&["--version"][..], &["-V"], &["-q", "--version"]] {
        let version = mscomm(args).run().ok();
        assert_eq!(version.text(), format!("mscomm {}\n", env!("CARGO_PKG_VERSION")));
    }
    let help = mscomm(&["--help"]).run().ok().text();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (code, meaning) in mscomm::testing::TABLE {
        assert!(words.contains(&format!("{code} {meaning}")), "{code} {meaning}");
    }
}

#[test]
fn a_duration_behind_wait_is_its_value() {
    for wait in [&["--wait", "100ms"][..], &["--wait=100ms"]] {
        let args = [&["grpc", "list", "-s", "127.0.0.1:1"], wait].concat();
        mscomm(&args).run().fails(7).says(&["100ms"]);
    }
    mscomm(&["grpc", "list", "--wait", "--", "100ms", "-s"]).run().fails(2);
}

#[test]
fn the_readme_has_the_exit_table() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("reads");
    let readme = readme.replace('`', "");
    for (code, meaning) in mscomm::testing::TABLE {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code} {meaning}");
    }
}

#[test]
fn a_closed_pipe_is_quiet() {
    // The man page is larger than a pipe holds, so its writer meets the closed end.
    for args in [&["man", "kafka", "tail"][..], &["completions", "zsh"], &["kafka", "tail", "--help"]] {
        let done = mscomm(args).stdout_to("/dev/full").run_with_own_stdout().exits(10);
        assert!(done.stderr.contains("No space left"), "{}", done.stderr);
        let mut run = mscomm(args);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        run.command.stdout(writer);
        let done = run.run_with_own_stdout().exits(0);
        assert_eq!(done.stderr, "");
    }
}
