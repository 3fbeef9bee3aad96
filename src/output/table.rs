//! Lists: a table on a terminal, tab-separated lines without a heading in a pipe, a JSON object a line with `-o json`.

use std::cmp::Ordering;

use comfy_table::Cell;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sanitize::{escape_json, escape_line};
use super::{Printer, Terminal};
use crate::error::{Error, Result};

/// Columns are fitted to terminals of at least this width.
const MIN_WIDTH: usize = 40;

/// What stands around a row, and between its cells.
const BORDERS: usize = 4;
const GAP: usize = 3;

/// A column does not give way any further.
const NARROWEST: usize = 18;

/// `-o` of the commands that list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TableLayout {
    /// A table, the default on a terminal
    Table,
    /// Tab-separated lines without a heading, the default in a pipe
    Tsv,
    /// A JSON object a line
    Json,
}

impl TableLayout {
    /// The one that was asked for, or that standard output has by itself.
    pub(crate) fn of(asked: Option<TableLayout>, terminal: &Terminal) -> TableLayout {
        asked.unwrap_or(if terminal.stdout { TableLayout::Table } else { TableLayout::Tsv })
    }
}

/// Rows under named columns. The names are the members of `-o json`, lowercase with underscores.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
    /// No cell is cut.
    is_whole: bool,
    /// What stands in this column is what somebody has to look after.
    alarming: Option<&'static str>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: impl Into<Vec<&'static str>>) -> Table {
        Table { columns: columns.into(), rows: Vec::new(), is_whole: false, alarming: None }
    }

    /// Its cells are what it is for: none of them is cut.
    #[must_use]
    pub(crate) fn whole(self) -> Table {
        Table { is_whole: true, ..self }
    }

    /// What stands in this column is shown red where there are colours.
    #[must_use]
    pub(crate) fn alarming(self, column: &'static str) -> Table {
        Table { alarming: Some(column), ..self }
    }

    /// Adds a row, a value for each column: one without a column would be lost in `-o json`.
    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        let row: Vec<Value> = values.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len(), "a value for each of {:?}", self.columns);
        self.rows.push(row);
    }

    /// Its rows sorted, and only some of its columns, as [`WideArgs::check`] found them.
    pub(crate) fn arranged(mut self, args: &WideArgs) -> Table {
        let at = |columns: &[&str], name: &str| columns.iter().position(|column| *column == name);
        if let Some(sort) = &args.sort {
            let (name, is_down) = sort.strip_prefix('-').map_or((sort.as_str(), false), |name| (name, true));
            if let Some(at) = at(&self.columns, name) {
                let by = |row: &[Value]| row.get(at).cloned().unwrap_or_default();
                self.rows.sort_by(|a, b| {
                    let order = compare(&by(a), &by(b));
                    if is_down { order.reverse() } else { order }
                });
            }
        }
        if args.columns.is_empty() {
            return self;
        }
        let places: Vec<usize> = args.columns.iter().filter_map(|name| at(&self.columns, name)).collect();
        let rows = self.rows.iter().map(|row| places.iter().filter_map(|at| row.get(*at).cloned()).collect()).collect();
        let columns = places.iter().filter_map(|at| self.columns.get(*at).copied()).collect();
        Table { columns, rows, ..self }
    }

    /// What stands in a column in other words, under another name; nothing where there is no such column.
    #[must_use]
    pub(crate) fn told(mut self, column: &str, name: &'static str, words: fn(&Value) -> Value) -> Table {
        if let Some(at) = self.columns.iter().position(|own| *own == column) {
            self.columns.iter_mut().skip(at).take(1).for_each(|own| *own = name);
            self.rows.iter_mut().filter_map(|row| row.get_mut(at)).for_each(|value| *value = words(value));
        }
        self
    }

    /// All columns but these.
    #[must_use]
    pub(crate) fn without(self, columns: &[&str]) -> Table {
        let left = self.columns.iter().filter(|name| !columns.contains(name));
        let args = WideArgs { columns: left.map(|name| (*name).to_owned()).collect(), sort: None };
        self.arranged(&args)
    }

    /// One more column, with a value for each row.
    #[must_use]
    pub(crate) fn with(mut self, column: &'static str, values: impl IntoIterator<Item = Value>) -> Table {
        self.columns.push(column);
        let mut values = values.into_iter();
        self.rows.iter_mut().for_each(|row| row.push(values.next().unwrap_or_default()));
        self
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it all.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn print(&self, layout: Option<TableLayout>, terminal: &Terminal) -> Result<()> {
        let mut printer = Printer::stdout()?;
        match TableLayout::of(layout, terminal) {
            TableLayout::Table => printer.record(|out| out.extend_from_slice(self.boxed(terminal).as_bytes()))?,
            TableLayout::Tsv => {
                for row in &self.rows {
                    let cells: Vec<String> = row.iter().map(|v| escape_line(&text(v)).into_owned()).collect();
                    printer.record(|out| {
                        out.extend_from_slice(cells.join("\t").as_bytes());
                        out.push(b'\n');
                    })?;
                }
            }
            TableLayout::Json => {
                for row in &self.rows {
                    let members = self.columns.iter().map(|c| (*c).to_owned()).zip(row.iter().cloned());
                    let object = Value::Object(members.collect());
                    printer.record(|out| {
                        let from = out.len();
                        out.extend_from_slice(object.to_string().as_bytes());
                        if terminal.stdout {
                            escape_json(out, from);
                        }
                        out.push(b'\n');
                    })?;
                }
            }
        }
        printer.flush()
    }

    /// As text: a box, in which the widest columns give way with `…` where a terminal is too narrow; lines of names and values where it is
    /// much too narrow. No word is broken.
    pub(crate) fn boxed(&self, terminal: &Terminal) -> String {
        let heading: Vec<String> = self.columns.iter().map(|name| name.replace('_', " ")).collect();
        let mut cells: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|v| escape_line(&text(v)).into_owned()).collect()).collect();
        let mut widths: Vec<usize> = heading.iter().map(|name| name.width()).collect();
        for row in &cells {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
        }
        // A terminal that does not know its width says 0.
        if let Some(room) = terminal.columns().filter(|columns| *columns >= MIN_WIDTH) {
            let room = room.saturating_sub(BORDERS + GAP * widths.len().saturating_sub(1));
            let narrow = narrowed(&widths, room).filter(|narrow| !self.is_whole || *narrow == widths);
            match narrow {
                Some(narrow) => cells.iter_mut().for_each(|row| {
                    row.iter_mut().zip(&narrow).for_each(|(cell, width)| shorten(cell, *width));
                }),
                None => return self.upright(&heading, &cells, terminal),
            }
        }
        let mut table = comfy_table::Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        let heading = heading.into_iter().map(|name| {
            let cell = Cell::new(name);
            if terminal.color_stdout { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell }
        });
        table.set_header(heading);
        if terminal.color_stdout {
            table.enforce_styling();
        }
        let alarming = self.alarming_at(terminal);
        for row in cells {
            table.add_row(row.into_iter().enumerate().map(|(at, cell)| {
                let cell = Cell::new(cell);
                if alarming == Some(at) { cell.fg(comfy_table::Color::Red) } else { cell }
            }));
        }
        format!("{table}\n")
    }

    /// Which column is shown red.
    fn alarming_at(&self, terminal: &Terminal) -> Option<usize> {
        let alarming = self.alarming.filter(|_| terminal.color_stdout)?;
        self.columns.iter().position(|column| *column == alarming)
    }

    /// A line for each value, an empty one between rows.
    fn upright(&self, heading: &[String], cells: &[Vec<String>], terminal: &Terminal) -> String {
        let bold = if terminal.color_stdout { anstyle::Style::new().bold() } else { anstyle::Style::new() };
        let wide = heading.iter().map(|name| name.width()).max().unwrap_or(0);
        let (alarming, plain) = (self.alarming_at(terminal), anstyle::Style::new());
        let rows = cells.iter().map(|row| {
            let line = |(at, (name, cell)): (usize, (&String, &String))| {
                let gap = if cell.is_empty() { 0 } else { wide + 2 - name.width() };
                let style = if alarming == Some(at) { anstyle::AnsiColor::Red.on_default() } else { plain };
                format!("{bold}{name}{bold:#}{:gap$}{style}{cell}{style:#}\n", "")
            };
            heading.iter().zip(row).enumerate().map(line).collect::<String>()
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

/// The widths of columns in so much room, the widest made narrower but for the first, which says what a row is about; `None`
/// when one would have less than [`NARROWEST`].
fn narrowed(widths: &[usize], room: usize) -> Option<Vec<usize>> {
    let mut narrow = widths.to_vec();
    while narrow.iter().sum::<usize>() > room {
        let widest = narrow.iter_mut().skip(1).max().filter(|width| **width > NARROWEST)?;
        *widest -= 1;
    }
    Some(narrow)
}

/// Takes out of the middle of a text what is too much: its ends tell more.
fn shorten(text: &mut String, width: usize) {
    if text.width() <= width {
        return;
    }
    let fits = |c: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let taken = c.take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        });
        taken.collect::<Vec<char>>()
    };
    let head = (width - 1) / 3;
    let begin: String = fits(&mut text.chars(), head).into_iter().collect();
    let end: String = fits(&mut text.chars().rev(), width - 1 - begin.width()).into_iter().rev().collect();
    *text = format!("{begin}…{end}");
}

/// Which columns of a wide table are shown, and in which order its rows are.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct WideArgs {
    /// Only these columns, in this order, as name,default
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Sort by this column, from the largest value down with a minus before it
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
}

impl WideArgs {
    /// With these columns, unless some were named.
    pub(crate) fn or_columns<'c>(&self, columns: impl IntoIterator<Item = &'c str>) -> WideArgs {
        let mut args = self.clone();
        if args.columns.is_empty() {
            args.columns = columns.into_iter().map(str::to_owned).collect();
        }
        args
    }

    /// Checks the names.
    ///
    /// # Errors
    /// `Kind::Usage` for a column that there is not.
    pub(crate) fn check(&self, columns: &[&str]) -> Result<()> {
        let sort = self.sort.as_deref().map(|name| name.strip_prefix('-').unwrap_or(name));
        let mut named = self.columns.iter().map(String::as_str).chain(sort);
        match named.find(|name| !columns.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let error = Error::usage(format!("there is no column `{name}`"));
                Err(error.hint(format!("allowed: {}", columns.join(", "))))
            }
        }
    }
}

/// Numbers by their size, before texts by their letters; what is not there comes first.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) if !b.is_null() => Ordering::Less,
        (None, Some(_)) if !a.is_null() => Ordering::Greater,
        _ => text(a).cmp(&text(b)),
    }
}

/// A cell's text: strings as they are, null as nothing, lists joined by commas.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => {
            let mut json = other.to_string().into_bytes();
            escape_json(&mut json, 0);
            String::from_utf8_lossy(&json).into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_widest_columns_give_way() {
        assert_eq!(narrowed(&[5, 30, 29], 64), Some(vec![5, 30, 29]));
        assert_eq!(narrowed(&[5, 30, 20], 45), Some(vec![5, 20, 20]));
        assert_eq!(narrowed(&[5, 30, 20], 41), Some(vec![5, 18, 18]));
        assert_eq!(narrowed(&[5, 30, 20], 40), None);
        assert_eq!(narrowed(&[50, 30], 70), Some(vec![50, 20]));
        for (text, width, short) in [
            ("mscomm.sandbox.v1.EchoRequest", 16, "mscom…hoRequest"),
            ("short", 16, "short"),
            ("日本語日本語日本語日本語", 16, "日本…本語日本語"),
        ] {
            let mut shortened = text.to_owned();
            shorten(&mut shortened, width);
            assert!(shortened.width() <= width, "{shortened}");
            assert_eq!(shortened.chars().last(), short.chars().last(), "{shortened}");
            assert_eq!(shortened.contains('…'), short.contains('…'), "{shortened}");
        }
    }

    #[test]
    fn columns_are_chosen_and_rows_sorted() {
        let mut table = Table::new(["name", "size"]);
        for (name, size) in [("b", json!(10)), ("a", json!(9)), ("c", json!(null))] {
            table.row([json!(name), size]);
        }
        let args = |columns: &[&str], sort: &str| WideArgs {
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            sort: Some(sort.to_owned()),
        };
        assert!(args(&["size"], "-name").check(&["name", "size"]).is_ok());
        assert!(args(&["nope"], "name").check(&["name", "size"]).is_err());
        assert!(args(&[], "-nope").check(&["name", "size"]).is_err());
        let sorted = table.arranged(&args(&["size", "name"], "-size"));
        assert_eq!(sorted.columns, ["size", "name"]);
        assert_eq!(sorted.rows, [[json!(10), json!("b")], [json!(9), json!("a")], [json!(null), json!("c")]]);
        let told = sorted.told("size", "bytes", |size| json!(format!("{size} B"))).told("nope", "x", |_| json!(0));
        assert_eq!(told.columns, ["bytes", "name"]);
        assert_eq!(told.rows[0], [json!("10 B"), json!("b")]);
        let other = told.without(&["bytes"]).with("age", [json!(1), json!(2)]);
        assert_eq!(other.columns, ["name", "age"]);
        assert_eq!(other.rows, [[json!("b"), json!(1)], [json!("a"), json!(2)], [json!("c"), json!(null)]]);
    }
}
