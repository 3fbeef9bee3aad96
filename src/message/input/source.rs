//! Where data comes from.

use std::path::PathBuf;

use crate::closed::check_stdin;
use crate::error::{Error, Result};

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Text(Vec<u8>),
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Text(_) => f.write_str("--data"),
            Source::Stdin => f.write_str("standard input"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Source {
    /// Looks whether a file or standard input can be read, for who has other things to do before.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn check(&self) -> Result<()> {
        let path = match self {
            Source::File(path) => path,
            Source::Stdin => return check_stdin(),
            Source::Text(_) => return Ok(()),
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
