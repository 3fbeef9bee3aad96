//! How clients come to the cluster, where that takes more than its address: files with certificates, a user, and the variables
//! that lead to them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::broker::tls::Tls;
use crate::error::{Error, Result};

/// What a client needs, and where other clients than mscomm are told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The key of mscomm's own profile, as `tls_ca`; none where nothing there needs it.
    pub key: Option<&'static str>,
    /// The variable of other clients.
    pub name: &'static str,
    pub value: String,
}

/// The ways in.
#[derive(Debug, Default)]
pub(super) struct Access {
    pub tls: Option<Tls>,
    pub variables: Vec<Variable>,
    /// Where the certificates are; gone with this.
    _folder: Option<TempDir>,
}

impl Access {
    /// Makes the certificates, and writes those of clients into files that only the owner can read.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(super) fn new(with_tls: bool, user: Option<&(String, String)>) -> Result<Access> {
        let mut access = Access::default();
        if with_tls {
            access.make_tls()?;
        }
        if let Some((name, password)) = user {
            access.add(Some("sasl.mechanism"), "KAFKA_SASL_MECHANISM", "SCRAM-SHA-256".to_owned());
            access.add(Some("sasl.username"), "KAFKA_USERNAME", name.clone());
            access.add(Some("sasl.password"), "KAFKA_PASSWORD", password.clone());
        }
        Ok(access)
    }

    fn add(&mut self, key: Option<&'static str>, name: &'static str, value: String) {
        self.variables.push(Variable { key, name, value });
    }

    fn make_tls(&mut self) -> Result<()> {
        let failed = |e| Error::io("cannot write the certificates of the Kafka cluster", e);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let tls = Tls::new(&names, i64::try_from(now).unwrap_or(i64::MAX))
            .map_err(|why| failed(std::io::Error::other(why)))?;
        // For the owner alone, as is what is in it.
        let folder = tempfile::Builder::new().prefix("mscomm-").tempdir().map_err(failed)?;
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [("ca.pem", &tls.ca), ("client.pem", &tls.client), ("client.key", &tls.client_key)] {
            write(&path(name), text).map_err(failed)?;
        }
        self.add(Some("tls_ca"), "KAFKA_CA", path("ca.pem").display().to_string());
        self.add(None, "KAFKA_CLIENT_CERT", path("client.pem").display().to_string());
        self.add(None, "KAFKA_CLIENT_KEY", path("client.key").display().to_string());
        self.tls = Some(tls);
        self._folder = Some(folder);
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
