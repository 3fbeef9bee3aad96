//! What is pasted into another terminal to come to the servers of this sandbox.

use super::environment::{EnvForm, Environment};
use super::service::Service;
use crate::error::{Error, Result};
use crate::output::Printer;

/// A file with the variables, as long as the sandbox lives.
#[derive(Debug)]
pub(super) struct Pasted(tempfile::NamedTempFile);

impl Pasted {
    /// Writes it, for its owner alone.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(super) fn make(environment: &Environment) -> Result<Pasted> {
        let failed = |e| Error::io("cannot write the variables of the sandbox", e);
        let file = tempfile::Builder::new().prefix("mscomm-").suffix(".sh").tempfile().map_err(failed)?;
        std::fs::write(file.path(), environment.text(EnvForm::Sh)).map_err(failed)?;
        Ok(Pasted(file))
    }

    /// Shows what to paste, and what to type then.
    ///
    /// # Errors
    /// Those of the output.
    pub(super) fn show(&self, services: impl Iterator<Item = Service>) -> Result<()> {
        let mut text = format!("\nPaste this into another terminal, and try it:\n  . {}\n", self.0.path().display());
        for service in services {
            text.push_str(match service {
                Service::Grpc => "  mscomm grpc call Greeter/SayHello -d '{\"name\":\"world\"}'\n",
                Service::Amqp => "  mscomm amqp queue declare orders && mscomm amqp publish -k orders -d tea\n",
                Service::Kafka => "  mscomm kafka topic create orders && mscomm kafka produce orders -d tea\n",
            });
        }
        text.push_str("  mscomm check\n\nWhen the sandbox has ended: unset MSCOMM_PROFILE\n\n");
        Printer::print(text)
    }
}
