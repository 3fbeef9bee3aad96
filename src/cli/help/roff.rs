//! A topic as a man page.

use super::page::{Block, Page, Style, pieces};

/// The page.
pub(super) fn page(name: &str, section: u8, page: &Page<'_>) -> String {
    let title = format!("mscomm-{name}");
    let mut out = format!(
        ".TH {} {section} \"\" \"mscomm {}\" \"mscomm manual\"\n.SH NAME\n{} \\- {}\n.SH DESCRIPTION\n",
        escaped(&title),
        env!("CARGO_PKG_VERSION"),
        escaped(&title),
        escaped(page.summary)
    );
    for block in &page.blocks {
        match block {
            Block::Heading(heading) => out.push_str(&format!(".SH {}\n", escaped(&heading.to_uppercase()))),
            Block::Text(text) => out.push_str(&format!(".PP\n{}\n", inline(text))),
            Block::List(items) => {
                items.iter().for_each(|item| out.push_str(&format!(".IP \\(bu 2\n{}\n", inline(item))));
            }
            Block::Code(lines) => {
                out.push_str(".PP\n.in 4\n.EX\n");
                lines.iter().for_each(|line| out.push_str(&format!("{}\n", escaped(line))));
                out.push_str(".EE\n.in\n");
            }
            // A reader of man pages has no width that a table could count on.
            Block::Table(rows) => {
                for row in rows.iter().skip(1) {
                    let mut cells = row.iter();
                    let first = cells.next().map(|cell| inline(cell)).unwrap_or_default();
                    let rest: Vec<String> = cells.map(|cell| inline(cell)).collect();
                    out.push_str(&format!(".TP\n{first}\n{}\n", rest.join("\n.br\n")));
                }
            }
        }
    }
    out
}

/// Running text with its styles.
fn inline(text: &str) -> String {
    let pieces = pieces(text).into_iter().map(|(style, text)| match style {
        Style::Plain => escaped_inside(&text),
        Style::Code | Style::Bold => format!("\\fB{}\\fR", escaped_inside(&text)),
    });
    guarded(pieces.collect())
}

fn escaped_inside(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

/// No line is taken for a request.
fn guarded(text: String) -> String {
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// A text as it is: hyphens as they are typed, no line taken for a request.
pub(crate) fn escaped(text: &str) -> String {
    guarded(escaped_inside(text))
}
