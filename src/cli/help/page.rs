//! A topic as it is written: the little of Markdown that both a terminal and a man page can show.

/// A text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'t> {
    /// Its name.
    pub name: &'t str,
    /// What it is about, in a line.
    pub summary: &'t str,
    /// What it says.
    pub blocks: Vec<Block<'t>>,
}

/// A piece of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'t> {
    /// What the pieces behind it are about.
    Heading(&'t str),
    /// Running text.
    Text(String),
    /// Items of a list.
    List(Vec<String>),
    /// Lines as they are.
    Code(Vec<&'t str>),
    /// A table, its names first.
    Table(Vec<Vec<String>>),
}

impl<'t> Page<'t> {
    /// Reads a text, whose first line is `# name: summary`.
    pub(super) fn read(text: &'t str) -> Page<'t> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let title = first.trim_start_matches("# ");
        let (name, summary) = title.split_once(": ").unwrap_or((title, ""));
        let mut blocks: Vec<Block<'t>> = Vec::new();
        let mut lines = rest.lines();
        let mut is_new = true;
        while let Some(line) = lines.next() {
            if line.starts_with("```") {
                blocks.push(Block::Code(lines.by_ref().take_while(|line| !line.starts_with("```")).collect()));
                is_new = true;
            } else if let Some(heading) = line.strip_prefix("## ") {
                blocks.push(Block::Heading(heading));
                is_new = true;
            } else if line.trim().is_empty() {
                is_new = true;
            } else if let Some(row) = line.strip_prefix('|') {
                let cells = cells(row);
                let is_rule = cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')));
                match blocks.last_mut() {
                    Some(Block::Table(rows)) if !is_new => rows.extend((!is_rule).then_some(cells)),
                    _ => blocks.push(Block::Table(vec![cells])),
                }
                is_new = false;
            } else if let Some(item) = line.strip_prefix("- ") {
                match blocks.last_mut() {
                    Some(Block::List(items)) => items.push(item.to_owned()),
                    _ => blocks.push(Block::List(vec![item.to_owned()])),
                }
                is_new = false;
            } else {
                let open = blocks.last_mut().filter(|_| !is_new).and_then(|block| match block {
                    Block::Text(text) => Some(text),
                    Block::List(items) => items.last_mut(),
                    _ => None,
                });
                match open {
                    Some(text) => text.extend([" ", line.trim()]),
                    None => blocks.push(Block::Text(line.trim().to_owned())),
                }
                is_new = false;
            }
        }
        Page { name, summary, blocks }
    }
}

/// The cells of a row behind its first bar; `\|` is a bar in one.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut chars = row.trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        let cell = cells.last_mut();
        match (c, cell) {
            ('\\', Some(cell)) if chars.next_if_eq(&'|').is_some() => cell.push('|'),
            ('|', _) if chars.peek().is_none() => {}
            ('|', _) => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// A piece of running text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// What is typed.
    Code,
    Bold,
}

/// The pieces of a text, each in one style.
pub(super) fn pieces(text: &str) -> Vec<(Style, String)> {
    let mut pieces = vec![(Style::Plain, String::new())];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (mark, style) = match c {
            '`' => ("`", Style::Code),
            '*' if rest.starts_with("**") => ("**", Style::Bold),
            _ => ("", Style::Plain),
        };
        let inner = rest.strip_prefix(mark).filter(|_| !mark.is_empty()).and_then(|inner| inner.split_once(mark));
        match inner {
            Some((inner, behind)) => {
                pieces.extend([(style, inner.to_owned()), (Style::Plain, String::new())]);
                rest = behind;
            }
            None => {
                if let Some((_, text)) = pieces.last_mut() {
                    text.push(c);
                }
                rest = rest.strip_prefix(c).unwrap_or_default();
            }
        }
    }
    pieces.retain(|(_, text)| !text.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let text = "# n: what it is\nA\nb.\n\n## H\n- one\n  more\n- two\n\n| a | b |\n|---|---|\n| `x\\|y` | z |\n\n```sh\n c\n```\nEnd.";
        let page = Page::read(text);
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!((page.name, page.summary), ("n", "what it is"));
        assert_eq!(
            page.blocks,
            [
                Block::Text("A b.".to_owned()),
                Block::Heading("H"),
                Block::List(vec!["one more".to_owned(), "two".to_owned()]),
                Block::Table(vec![row(["a", "b"]), row(["`x|y`", "z"])]),
                Block::Code(vec![" c"]),
                Block::Text("End.".to_owned()),
            ]
        );
    }

    #[test]
    fn styles() {
        let piece = |style, text: &str| (style, text.to_owned());
        assert_eq!(
            pieces("a `b c` **d** 2 * 3 `"),
            [
                piece(Style::Plain, "a "),
                piece(Style::Code, "b c"),
                piece(Style::Plain, " "),
                piece(Style::Bold, "d"),
                piece(Style::Plain, " 2 * 3 `"),
            ]
        );
    }
}
