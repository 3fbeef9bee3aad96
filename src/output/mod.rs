//! Data out. [`Printer`] is the only writer to standard output; everything else here decides what it writes.

mod confirm;
mod format;
mod messages;
mod payload;
mod pretty;
mod printer;
mod progress;
mod ready;
mod report;
mod sanitize;
mod show;
mod stdout;
mod table;
mod terminal;

pub(crate) use confirm::{YesArgs, is_asked, is_yes, question};
pub use format::Format;
pub(crate) use messages::{MessageWriter, OutputArgs};
pub(crate) use payload::{is_json, push_indented};
pub(crate) use printer::Printer;
pub(crate) use progress::Progress;
pub(crate) use ready::{Published, ReadyFile};
pub(crate) use report::{Report, ReportTo, Shows};
pub(crate) use sanitize::{escape_json, escape_text};
pub(crate) use show::Show;
pub(crate) use stdout::Stdout;
pub(crate) use table::{Table, TableLayout, WideArgs};
pub use terminal::{ColorWhen, Terminal};
