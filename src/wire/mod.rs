//! Protobuf wire primitives: tags, varints, length-delimited ranges, edits. Knows nothing of OTLP.
//!
//! * [`read`]: strict reading, where parsers disagree it refuses.
//! * [`edit`]: the edited message, written while the old one is walked.

pub mod edit;
pub mod read;

pub use edit::Edits;
pub use read::{Malformed, Tag};
