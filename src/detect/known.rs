//! Names that the batch itself gives away: what `host.name` and the like say of a resource, looked for in the free text
//! under it.

/// The names known for the resource at hand.
#[derive(Debug, Default)]
pub struct Known {}
