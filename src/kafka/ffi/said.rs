//! Refusals in the words of whoever refused.

use std::ffi::c_char;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::{text, words};

/// Why something was refused: the code, and the words of whoever refused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The broker's or librdkafka's code.
    pub code: RDKafkaErrorCode,
    /// Its reason in words.
    pub words: String,
}

impl Said {
    /// The reason where there is one, else what the code means. `None` for no error.
    ///
    /// SAFETY: `reason` is null or a string that ends in a zero byte.
    pub(super) unsafe fn of(code: RDKafkaRespErr, reason: *const c_char) -> Option<Said> {
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: the caller's promise; what a code means is static.
        let (reason, meaning) = unsafe { (text(reason), text(rd::rd_kafka_err2str(code))) };
        let code = RDKafkaErrorCode::from(code);
        let words = if reason.is_empty() || reason == meaning { words(code) } else { reason };
        Some(Said { code, words })
    }

    /// As [`Said::of`], of an error with both.
    ///
    /// SAFETY: it is null or lives.
    pub(super) unsafe fn of_error(error: *const rd::rd_kafka_error_t) -> Option<Said> {
        if error.is_null() {
            return None;
        }
        // SAFETY: the caller's promise; its words end in a zero byte.
        unsafe { Said::of(rd::rd_kafka_error_code(error), rd::rd_kafka_error_string(error)) }
    }

    /// A code alone, with what it means.
    pub(crate) fn plain(code: RDKafkaErrorCode) -> Said {
        Said { code, words: words(code) }
    }
}
