//! What the two output streams are, and what may be written to them besides results.

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use super::sanitize::{escape_line, escape_text};
use crate::error::Error;
use crate::secret::without_passwords;

/// `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The standard streams as they were found at the start.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard output goes to another program, which may print on the same screen.
    pub stdout_piped: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
    /// Colour results.
    pub color_stdout: bool,
    /// Colour messages.
    pub color_stderr: bool,
    /// `-q`: no notes, no progress.
    pub quiet: bool,
    /// `-v`: say what is being done.
    pub verbose: bool,
}

impl Terminal {
    /// Looks at the streams and the environment.
    pub fn detect(color: ColorWhen, quiet: bool, verbose: bool) -> Terminal {
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        // https://no-color.org: any value but the empty one.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let colored = |tty: bool| match color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => tty && !no_color && !dumb,
        };
        let stdout_piped = rustix::fs::fstat(std::io::stdout()).is_ok_and(|stat| {
            let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
            matches!(kind, rustix::fs::FileType::Fifo | rustix::fs::FileType::Socket)
        });
        Terminal {
            stdout,
            stdout_piped,
            stderr,
            color_stdout: colored(stdout),
            color_stderr: colored(stderr),
            quiet,
            verbose,
        }
    }

    /// How many columns standard output has, where it is a terminal.
    pub fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|_| self.stdout)?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|_| self.stdout)?;
        Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
    }

    /// Whether what is on standard output can be drawn over.
    pub(crate) fn redraws(&self) -> bool {
        self.stdout && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
    }

    /// A line for the user on standard error; none with `-q`.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.line(AnsiColor::Cyan.on_default(), "note", text.as_ref());
        }
    }

    /// What goes on, for a person: on a terminal, or with `-v`.
    pub fn status(&self, text: impl AsRef<str>) {
        match self.stderr {
            true => self.note(text),
            false => self.trace(text),
        }
    }

    /// A warning on standard error; `-q` does not hide it.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.line(AnsiColor::Yellow.on_default().bold(), "warning", text.as_ref());
    }

    /// What is being done, on standard error; only with `-v`.
    pub fn trace(&self, text: impl AsRef<str>) {
        if self.verbose {
            self.write(Style::new().dimmed(), "*", text.as_ref());
        }
    }

    /// What goes out (`>`) or comes in (`<`), on standard error as curl shows it; only with `-v`.
    pub fn wire(&self, direction: char, text: impl AsRef<str>) {
        if self.verbose {
            let style = if direction == '>' { AnsiColor::Cyan } else { AnsiColor::Yellow };
            self.write(style.on_default(), &direction.to_string(), text.as_ref());
        }
    }

    /// A line for a script on standard error, as it is.
    pub fn json(&self, line: &str) {
        put(format!("{line}\n"));
    }

    /// Whether `-v` was given.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The error that ends the command, with its causes and its fix; a fix that several share is told once.
    pub fn error(&self, error: &Error) {
        let mut all = error.all().peekable();
        while let Some(error) = all.next() {
            self.line(AnsiColor::Red.on_default().bold(), "error", &error.head());
            for line in error.lines().into_iter().flat_map(str::lines) {
                put(format!("{}\n", escape_text(line)));
            }
            if let Some(fix) = error.fix().filter(|fix| all.peek().and_then(|next| next.fix()) != Some(*fix)) {
                self.line(AnsiColor::Green.on_default(), "hint", fix);
            }
        }
    }

    fn line(&self, style: Style, label: &str, text: &str) {
        self.write(style, &format!("{label}:"), text);
    }

    fn write(&self, style: Style, label: &str, text: &str) {
        // In a pipe, too: it ends in a log that somebody looks at in a terminal. And on one line: much of it is a peer's
        // words, which must not pass for another line of ours.
        let text = escape_line(text);
        put(match self.color_stderr {
            true => format!("{style}{label}{style:#} {text}\n"),
            false => format!("{label} {text}\n"),
        });
    }
}

fn put(line: String) {
    // One write, so that lines of two processes do not mix; nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().write_all(without_passwords(&line).as_bytes());
}
