//! Protobuf wire primitives: tags, varints, length-delimited ranges, edit lists. Knows nothing of OTLP.
//!
//! * [`read`]: strict reading, where parsers disagree it refuses.
//! * [`edit`]: what changes, collected during one walk and written out in one copy.

pub mod edit;
pub mod read;

pub use edit::Edits;
pub use read::{Malformed, Tag};
