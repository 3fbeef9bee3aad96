//! A topic on a terminal, or in a pipe.

use anstyle::{AnsiColor, Style as Ansi};

use super::page::{Block, Page, Style, pieces};
use crate::output::Terminal;

/// Text is no wider, however wide the terminal is.
const WIDEST: usize = 100;

/// The text.
pub(super) fn page(page: &Page<'_>, terminal: &Terminal) -> String {
    let width = if terminal.stdout { terminal.columns().unwrap_or(80).min(WIDEST) } else { 80 };
    let mut out = Out { text: String::new(), width, color: terminal.color_stdout };
    out.flow(&format!("**{}**: {}", page.name, page.summary), 0, 0);
    for block in &page.blocks {
        out.text.push('\n');
        match block {
            Block::Heading(heading) => out.flow(&format!("**{}**", heading.to_uppercase()), 0, 0),
            Block::Text(text) => out.flow(text, 0, 0),
            Block::List(items) => items.iter().for_each(|item| {
                out.text.push_str("- ");
                out.flow(item, 2, 2);
            }),
            Block::Code(lines) => lines.iter().for_each(|line| {
                out.text.push_str(if line.is_empty() { "" } else { "    " });
                out.text.push_str(line);
                out.text.push('\n');
            }),
            Block::Table(rows) => out.table(rows),
        }
    }
    out.text
}

struct Out {
    text: String,
    width: usize,
    color: bool,
}

impl Out {
    fn ansi(&self, style: Style) -> Ansi {
        match (self.color, style) {
            (false, _) | (_, Style::Plain) => Ansi::new(),
            (true, Style::Code) => AnsiColor::Cyan.on_default(),
            (true, Style::Bold) => Ansi::new().bold(),
        }
    }

    /// Running text, broken between words. The first line is written up to `at`.
    fn flow(&mut self, text: &str, mut at: usize, indent: usize) {
        let mut is_begun = false;
        for word in self.words(text) {
            let wide = wide(&word);
            if is_begun && at + 1 + wide > self.width {
                self.text.push('\n');
                self.spaces(indent);
                at = indent;
            } else if is_begun {
                self.spaces(1);
                at += 1;
            }
            is_begun = true;
            for (style, piece) in word {
                let ansi = self.ansi(style);
                self.text.push_str(&format!("{ansi}{piece}{ansi:#}"));
            }
            at += wide;
        }
        self.text.push('\n');
    }

    fn spaces(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }

    /// The words of a text, each in pieces of one style.
    fn words(&self, text: &str) -> Vec<Vec<(Style, String)>> {
        let mut words = vec![Vec::new()];
        for (style, piece) in pieces(text) {
            // Without colour the marks tell what is typed.
            let mark = if style == Style::Code && !self.color { "`" } else { "" };
            for (at, part) in format!("{mark}{piece}{mark}").split(' ').enumerate() {
                if at > 0 {
                    words.push(Vec::new());
                }
                if let (Some(word), false) = (words.last_mut(), part.is_empty()) {
                    word.push((style, part.to_owned()));
                }
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// Cells side by side while the last one has room, below each other else.
    fn table(&mut self, rows: &[Vec<String>]) {
        let shown = |out: &Out, cell: &str| out.words(cell).iter().map(|word| wide(word) + 1).sum::<usize>().max(1) - 1;
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                rows.iter().filter_map(|row| row.get(column)).map(|cell| shown(self, cell)).max().unwrap_or(0)
            })
            .collect();
        let last = columns.saturating_sub(1);
        let before = 2 + widths.iter().take(last).map(|width| width + 2).sum::<usize>();
        let room = self.width.saturating_sub(before);
        let is_wide = room < widths.last().copied().unwrap_or(0).min(self.width / 3);
        for (number, row) in rows.iter().enumerate() {
            let mut at = 2;
            self.spaces(at);
            for (column, cell) in row.iter().enumerate() {
                let cell = if number == 0 { format!("**{cell}**") } else { cell.clone() };
                if column == last || is_wide {
                    self.flow(&cell, at, at + if is_wide { 2 } else { 0 });
                    if column < last {
                        at = 6;
                        self.spaces(at);
                    }
                    continue;
                }
                let mut one = Out { text: String::new(), width: usize::MAX, color: self.color };
                one.flow(&cell, 0, 0);
                self.text.push_str(one.text.trim_end_matches('\n'));
                let width = widths.get(column).copied().unwrap_or(0) + 2;
                self.spaces(width - shown(self, &cell));
                at += width;
            }
        }
    }
}

/// How many columns a word takes.
fn wide(word: &[(Style, String)]) -> usize {
    word.iter().map(|(_, text)| text.chars().count()).sum()
}
