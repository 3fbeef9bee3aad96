//! What decodes and encodes at once.

use super::decode::DecodeArgs;
use super::encode::EncodeArgs;
use super::form::FormArgs;
use crate::error::Result;

impl FormArgs {
    /// The same for two ways at once: what is described is for any of them.
    ///
    /// # Errors
    /// `Kind::Usage`: nobody asks for the types that were described.
    pub(crate) fn for_both(self, decode: &DecodeArgs, encode: &EncodeArgs) -> Result<FormArgs> {
        self.check(decode.chain().into_iter().chain(encode.chain()))?;
        Ok(self.checked())
    }
}
