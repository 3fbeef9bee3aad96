//! Lists: a table on a terminal, tab-separated lines without a heading in a pipe, a JSON object a line with `-o json`.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, ContentArrangement};
use serde_json::Value;

use super::sanitize::{escape_json, escape_line};
use super::{Printer, Terminal};
use crate::error::Result;

/// Columns are fitted to terminals of at least this width.
const MIN_WIDTH: u16 = 40;

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

/// Rows under named columns. The names are the members of `-o json`, lowercase with underscores.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: impl Into<Vec<&'static str>>) -> Table {
        Table { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, a value for each column: one without a column would be lost in `-o json`.
    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        let row: Vec<Value> = values.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len(), "a value for each of {:?}", self.columns);
        self.rows.push(row);
    }

    /// Writes it all.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn print(&self, layout: Option<TableLayout>, terminal: &Terminal) -> Result<()> {
        let mut printer = Printer::stdout()?;
        let default = if terminal.stdout { TableLayout::Table } else { TableLayout::Tsv };
        match layout.unwrap_or(default) {
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

    fn boxed(&self, terminal: &Terminal) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        // A terminal that does not know its width says 0; cells squeezed into that cannot be read.
        if table.width().is_some_and(|width| width >= MIN_WIDTH) {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        let heading = |name: &&'static str| {
            let cell = Cell::new(name.replace('_', " "));
            if terminal.color_stdout { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell }
        };
        table.set_header(self.columns.iter().map(heading));
        if terminal.color_stdout {
            table.enforce_styling();
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|v| escape_line(&text(v)).into_owned()));
        }
        format!("{table}\n")
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
