//! Protobuf wire primitives: tags, varints, length-delimited ranges, edit lists. Knows nothing of OTLP.
