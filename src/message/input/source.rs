//! Where data comes from.

use std::path::PathBuf;

use crate::closed::check_stdin;
use crate::error::{Error, Result};

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// The command line.
    Text(Vec<u8>),
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for DataSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DataSource::Text(_) => f.write_str("--data"),
            DataSource::Stdin => f.write_str("standard input"),
            DataSource::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl DataSource {
    /// Looks whether a file or standard input can be read, for who has other things to do before.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn check(&self) -> Result<()> {
        let path = match self {
            DataSource::File(path) => path,
            DataSource::Stdin => return check_stdin(),
            DataSource::Text(_) => return Ok(()),
        };
        let failed = |e| Error::io(format!("cannot read {}", path.display()), e);
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        // A pipe that was opened and closed again would lose its writer.
        if metadata.is_file() {
            std::fs::File::open(path).map_err(failed)?;
        }
        Ok(())
    }
}
