//! Progress on standard error, when that is a terminal and nothing else is printed there.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::Terminal;

/// A bar for an input of known size, a live counter for everything else, or nothing in a pipe and with `-q`.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// It is drawn once there is something to show: what is said before that would be drawn over.
    wanted: Option<Look>,
    verb: &'static str,
    messages: u64,
}

/// How it is drawn.
#[derive(Debug, Clone, Copy)]
struct Look {
    size: Option<u64>,
    color: bool,
}

impl Progress {
    /// For a writer. `size` is the size of its input in bytes, when it has one.
    pub(crate) fn writer(terminal: &Terminal, verb: &'static str, size: Option<u64>) -> Progress {
        Progress::start(terminal, verb, size, terminal.stderr && !terminal.quiet)
    }

    /// For a reader: none when the messages themselves scroll by on the same screen, and none in front of another program,
    /// which may draw there itself.
    pub(crate) fn reader(terminal: &Terminal, verb: &'static str) -> Progress {
        Progress::start(
            terminal,
            verb,
            None,
            terminal.stderr && !terminal.quiet && !terminal.stdout && !terminal.stdout_piped,
        )
    }

    /// None at all.
    pub(crate) fn none() -> Progress {
        Progress { bar: None, wanted: None, verb: "", messages: 0 }
    }

    fn start(terminal: &Terminal, verb: &'static str, size: Option<u64>, wanted: bool) -> Progress {
        let wanted = wanted.then_some(Look { size, color: terminal.color_stderr });
        Progress { bar: None, wanted, verb, messages: 0 }
    }

    /// Draws it for the first time.
    fn begin(&mut self) {
        let Some(Look { size, color }) = self.wanted.take() else { return };
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(10));
        let template = match (size, color) {
            (Some(_), true) => {
                "{wide_bar:.cyan/dim} {percent:>3}%  {bytes}/{total_bytes}  {msg}  {binary_bytes_per_sec}  ETA {eta}"
            }
            (Some(_), false) => {
                "{wide_bar} {percent:>3}%  {bytes}/{total_bytes}  {msg}  {binary_bytes_per_sec}  ETA {eta}"
            }
            (None, true) => "{spinner:.cyan} {msg}  {bytes}  {rate}  {elapsed}",
            (None, false) => "{spinner} {msg}  {bytes}  {rate}  {elapsed}",
        };
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // The writer is indicatif's own line buffer.
            let _ = write!(out, "{}/s", indicatif::BinaryBytes(state.per_sec() as u64));
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", rate).progress_chars("━━─"));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    /// Sets what was done so far. Cheap enough for each message; it draws at most ten times a second.
    pub(crate) fn set(&mut self, messages: u64, bytes: u64) {
        if messages > 0 || bytes > 0 {
            self.begin();
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            // The text is made anew only when it will be seen to differ.
            if messages / 128 != self.messages / 128 || messages < 128 {
                bar.set_message(format!("{} {}", indicatif::HumanCount(messages), self.verb));
            }
            self.messages = messages;
        }
    }

    /// Sets how far what goes from one peer to another has come. As cheap as [`Progress::set`].
    pub(crate) fn set_both(&mut self, read: u64, confirmed: u64, under_way: usize, bytes: u64) {
        if read > 0 {
            self.begin();
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            if read / 128 != self.messages / 128 || read < 128 {
                let [read, confirmed] = [read, confirmed].map(indicatif::HumanCount);
                bar.set_message(format!("{read} read, {confirmed} confirmed, {under_way} in flight"));
            }
            self.messages = read;
        }
    }

    /// Removes it from the screen for good.
    pub(crate) fn clear(&mut self) {
        self.wanted = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Runs `print` without the bar on the screen.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
