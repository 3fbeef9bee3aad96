//! The texts of schemas: read from files, and shown.

use std::path::Path;

use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::output::{is_json, push_indented};
use crate::secret::read_within;
use crate::values;

/// The most bytes of a schema.
const LIMIT: usize = 16 << 20;

/// Reads a file, `-` for standard input.
///
/// # Errors
/// `Kind::Io` for what cannot be read, `Kind::Usage` for what is no text.
pub(super) fn of_file(path: &Path, cx: &Context) -> Result<String> {
    let from = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    let shown = path.display();
    let bytes = read_within(from, LIMIT, cx.config.deadline)
        .map_err(|e| Error::new(Kind::Io, format!("cannot read the schema from {shown}")).because(e))?;
    let text = values::text(bytes).map_err(|why| Error::usage(format!("the schema in {shown} is no text: {why}")))?;
    match text.trim().is_empty() {
        true => Err(Error::usage(format!("there is no schema in {shown}"))),
        false => Ok(text),
    }
}

/// A schema as people read it: JSON with a line for each member, anything else as it is; it ends with its last line.
pub(super) fn readable(text: &str, color: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2);
    match is_json(text.as_bytes()) {
        true => push_indented(&mut out, text.as_bytes(), 0, color),
        false => out.extend_from_slice(text.trim_end().as_bytes()),
    }
    out.push(b'\n');
    out
}
