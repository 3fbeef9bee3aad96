//! Bodies as values: what a schema makes of them.

#[cfg_attr(not(test), expect(dead_code, reason = "the codecs ask it"))]
pub(crate) mod schemas;
