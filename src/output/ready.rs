//! Ready files, for scripts that wait for something to be there.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Kind, Result};

/// A file that is to appear, whole, when somebody may go on.
#[derive(Debug)]
pub(crate) struct ReadyFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl ReadyFile {
    /// Makes sure that it can be written, and takes away one that an earlier run left.
    ///
    /// # Errors
    /// `Kind::Io`; also when something else than a file is there, as a device, which must not be replaced.
    pub(crate) fn prepare(path: &Path) -> Result<ReadyFile> {
        let failed = |e| Error::io(format!("cannot write the ready file {}", path.display()), e);
        if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            let what = format!("cannot write the ready file {}: what is there is no regular file", path.display());
            return Err(Error::new(Kind::Io, what).hint("name a file that is not there yet"));
        }
        // What is no ready file is somebody's, and not to be taken away.
        let is_ours = |text: String| {
            let first = text.lines().next().unwrap_or_default();
            first.parse::<u32>().is_ok()
                || first.starts_with("export ")
                || first.starts_with("unset ")
                || text.is_empty()
        };
        if std::fs::read_to_string(path).is_ok_and(|text| !is_ours(text)) {
            let what = format!("cannot write the ready file {}: what is there is no ready file", path.display());
            return Err(Error::new(Kind::Io, what).hint("name a file that is not there yet"));
        }
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(failed)?;
        // The command may change its folder, and this process ends where it began.
        let path = std::path::absolute(path).map_err(failed)?;
        Ok(ReadyFile { path, file })
    }

    /// Lets it appear.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(crate) fn publish(mut self, text: String) -> Result<Published> {
        let failed = |e| Error::io(format!("cannot write the ready file {}", self.path.display()), e);
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.persist(&self.path).map_err(|e| failed(e.error))?;
        Ok(Published { path: self.path, text })
    }
}

/// A ready file that is there until this is dropped.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    text: String,
}

impl Drop for Published {
    fn drop(&mut self) {
        // Another run may have put its own there.
        if std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            // Nobody is left to be told.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
