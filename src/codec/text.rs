//! Pieces of JSON that several codecs write.

use crate::message::json;

/// A number of 32 or 64 bits.
pub(super) trait Float: serde::Serialize + Copy {
    /// With 64 bits.
    fn wide(self) -> f64;
}

impl Float for f32 {
    fn wide(self) -> f64 {
        self.into()
    }
}

impl Float for f64 {
    fn wide(self) -> f64 {
        self
    }
}

/// Appends a number by the fewest digits that read back to it; what JSON has no number for is `"NaN"`, `"Infinity"` or
/// `"-Infinity"`.
pub(super) fn write_float(out: &mut Vec<u8>, number: impl Float) {
    let wide = number.wide();
    if wide.is_finite() {
        // Writing to a Vec cannot fail.
        drop(serde_json::to_writer(out, &number));
    } else if wide.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
}

/// What a string says that stands for such a number.
pub(super) fn special_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Appends bytes as a string of which each character is one.
pub(super) fn latin1(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.is_ascii().then(|| std::str::from_utf8(bytes)) {
        Some(Ok(text)) => json::string(out, text),
        _ => json::string(out, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}
