//! Data out. [`Printer`] is the only writer to standard output; everything else here decides what it writes.

mod format;
mod messages;
mod printer;
mod progress;
mod report;
mod sanitize;
mod show;
mod stdout;
mod table;
mod terminal;

pub use format::Format;
pub use messages::{MessageWriter, OutputArgs};
pub use printer::Printer;
pub use progress::Progress;
pub use report::{Report, ReportTo, Shows};
pub use sanitize::{escape_json, escape_text};
pub use show::Show;
pub use stdout::Stdout;
pub use table::{Table, TableLayout};
pub use terminal::{ColorWhen, Terminal};
