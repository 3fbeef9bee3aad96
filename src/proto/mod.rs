//! Protobuf without a network: descriptor sources, the JSON writer, schema text.
