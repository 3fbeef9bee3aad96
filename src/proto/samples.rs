//! Types for unit tests: `t2.M` of proto2, `t3.M` of proto3, and what they use.

use super::rpc::compile;
use super::schema::Schema;

pub(crate) fn schema() -> Schema {
    const SOURCES: &[(&str, &str)] =
        &[("t2.proto", include_str!("json/testdata/t2.proto")), ("t3.proto", include_str!("json/testdata/t3.proto"))];
    Schema::new(&compile(SOURCES).expect("compiles"), |_| None)
}
