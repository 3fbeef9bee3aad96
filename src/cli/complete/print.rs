//! The answer in the form that a shell's script reads: a candidate a line, and lines that begin with a tab for what the
//! shell has to do.

use super::Shell;
use super::line::{Line, Word};
use super::offer::{Candidate, Left, Offer};
use crate::output::escape_text;

/// So many are more than anybody reads.
const MOST: usize = 2000;

/// Writes it.
pub(super) fn answer(shell: Shell, line: &Line, offer: Offer) -> String {
    let word = &line.current;
    let mut out = String::new();
    match offer.left {
        Some(Left::Files) => out.push_str("\tfiles\n"),
        Some(Left::Folders) => out.push_str("\tfolders\n"),
        Some(Left::Programs) => out.push_str("\tprograms\n"),
        Some(Left::Command(from)) => out.push_str(&format!("\tcommand\t{from}\n")),
        None => {}
    }
    let mut candidates = offer.candidates;
    // A server may have any name, also one that says something to the terminal, or to the shell.
    candidates.retain(|one| {
        !one.value.is_empty() && !one.value.contains(char::is_control) && escape_text(&one.value) == one.value
    });
    // Fish looks into the middle of words, too, where values are concerned.
    if shell == Shell::Bash || word.text.starts_with('-') {
        candidates.retain(|one| one.value.starts_with(&word.text));
    }
    if candidates.len() > MOST {
        candidates.retain(|one| one.value.starts_with(&word.text));
        candidates.truncate(MOST);
    }
    if let (Shell::Bash, [only]) = (shell, candidates.as_slice())
        && only.is_open
    {
        out.push_str("\topen\n");
        if word.quote.is_some() {
            // Readline closes the quote behind the only one that there is.
            candidates.push(Candidate { value: format!("{}…", only.value), ..only.clone() });
        }
    }
    for one in candidates {
        let line = match shell {
            Shell::Bash => for_bash(&one, word),
            Shell::Fish => Some(format!("{}\t{}", one.value, sentence(&one.help))),
            Shell::Zsh => {
                let colons = one.value.replace('\\', "\\\\").replace(':', "\\:");
                let mark = if one.is_open { "\topen\t" } else { "" };
                let help = sentence(&one.help).replace('\\', "\\\\");
                Some(if help.is_empty() { format!("{mark}{colons}") } else { format!("{mark}{colons}:{help}") })
            }
        };
        if let Some(line) = line {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// The first line of a help text.
fn sentence(help: &str) -> String {
    let line = help.lines().next().unwrap_or_default();
    escape_text(line).replace('\t', " ")
}

/// Bash puts it on the line as it is, in place of what it takes for the word.
fn for_bash(one: &Candidate, word: &Word) -> Option<String> {
    let rest = one.value.get(word.fixed..)?;
    match word.quote {
        Some('\'') => (!rest.contains('\'')).then(|| rest.to_owned()),
        Some(_) if rest.contains('!') => None,
        Some(_) => Some(rest.chars().flat_map(|c| escaped(c, matches!(c, '"' | '\\' | '$' | '`'))).collect()),
        None => {
            let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,{}[]^".contains(c) && !"{}[]".contains(c);
            Some(rest.chars().flat_map(|c| escaped(c, !is_plain(c))).collect())
        }
    }
}

fn escaped(c: char, is_special: bool) -> impl Iterator<Item = char> {
    is_special.then_some('\\').into_iter().chain([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bash(line: &str, values: &[&str]) -> String {
        let line = Line::read(line, "\"'@><=;|&(:");
        let candidates = values.iter().map(|value| Candidate::new(*value, "")).collect();
        answer(Shell::Bash, &line, Offer { candidates, left: None })
    }

    #[test]
    fn bash_gets_what_it_replaces_quoted() {
        assert_eq!(bash("m kafka tail o", &["orders", "other", "x"]), "orders\nother\n");
        assert_eq!(bash("m --output=j", &["--output=json"]), "json\n");
        assert_eq!(bash("m t:0", &["t:01"]), "01\n");
        assert_eq!(bash("m ", &["a b", "$(x)", "`x`"]), "a\\ b\n\\$\\(x\\)\n\\`x\\`\n");
        assert_eq!(bash("m 'a", &["a b", "a'b"]), "a b\n");
        assert_eq!(bash("m \"a", &["a$b", "a!"]), "a\\$b\n");
        assert_eq!(bash("m ", &["a\x1b[2J", "a\nb", "a\u{202e}b", "ok"]), "ok\n");
    }

    #[test]
    fn others_get_the_word_and_what_it_is() {
        let line = Line::read("m ", "");
        let offer = || Offer { candidates: vec![Candidate::open("a:b/", "it\nmore")], left: Some(Left::Command(3)) };
        assert_eq!(answer(Shell::Zsh, &line, offer()), "\tcommand\t3\n\topen\ta\\:b/:it\n");
        assert_eq!(answer(Shell::Fish, &line, offer()), "\tcommand\t3\na:b/\tit\n");
    }
}
