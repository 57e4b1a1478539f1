//! Keyring, canonical forms, tokens. Knows nothing of where the text came from.

mod recipe;

pub use recipe::{KindId, Recipe, Value};

/// The tokens of one recipient.
pub struct Pseudonyms;
