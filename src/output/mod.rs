//! Data out. [`Sink`] is the only writer to standard output; everything else here decides what it writes.

mod format;
mod messages;
mod progress;
mod report;
mod sanitize;
mod show;
mod sink;
mod stdout;
mod table;
mod terminal;

pub use format::Format;
pub use messages::{MessageWriter, OutputArgs};
pub use progress::Progress;
pub use report::{Report, ReportTo, Shows};
pub use sanitize::{escape_json, escape_text};
pub use show::Show;
pub use sink::Sink;
pub use stdout::Stdout;
pub use table::{Table, TableLayout};
pub use terminal::{ColorWhen, Terminal};
