//! Keyring, canonical forms, tokens. Knows nothing of where the text came from.
//!
//! ```text
//! keyring ─▶ derive ─▶ Pseudonyms::write ◀─ Cache (one a worker, in front)
//!                         │ canon: one spelling for equal values
//!                         │ token: one file a form
//! ```
//!
//! A token is made of a secret that only the customer has, the recipient, the kind of the value and the value's canonical
//! form. So equal values have equal tokens in every signal and replica, and unrelated ones for every other recipient.

mod cache;
mod canon;
mod derive;
mod keyring;
mod pseudonyms;
mod recipe;
mod token;
#[cfg(test)]
mod vectors;

pub use cache::Cache;
pub use keyring::{Epoch, Exposure, Keyring, KeyringError, State, keep_out_of_core_dumps};
pub use pseudonyms::{Pseudonyms, PseudonymsError, RevealError};
pub use recipe::{KindId, Recipe, Value};
