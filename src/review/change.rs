//! A record before and after, field by field.

use crate::filter::SERIES_KEY;
use crate::policy::RETENTION_KEY;

use super::leaf::Leaf;

/// What Privet adds itself.
const OWN: [&str; 2] = [SERIES_KEY, RETENTION_KEY];

/// A value that became another, went, or came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    pub field: String,
    /// `None`: it was added.
    pub before: Option<Leaf>,
    /// `None`: it was removed.
    pub after: Option<Leaf>,
}

impl Change {
    /// Whether it is as it was.
    pub fn is_same(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => before.path == after.path && before.value == after.value,
            _ => false,
        }
    }
}

/// Lays the values of a record beside what became of them, in the order in which they stood. Values that stand at the same
/// path are taken in their order; a key that was replaced is found again by the place it stood at.
pub fn changes(before: &[Leaf], after: &[Leaf]) -> Vec<Change> {
    let mut taken = vec![false; after.len()];
    let mut rows: Vec<(&Leaf, Option<usize>)> = Vec::with_capacity(before.len());
    // Most requests keep their order, so the search begins where the last one ended.
    let mut next = 0;
    for leaf in before {
        let found = (next..after.len()).chain(0..next).find(|&at| !taken[at] && after[at].path == leaf.path);
        if let Some(at) = found {
            taken[at] = true;
            next = at + 1;
        }
        rows.push((leaf, found));
    }
    pair_replaced_keys(&mut rows, after, &mut taken);
    let mut out: Vec<Change> = rows
        .into_iter()
        .map(|(leaf, found)| Change {
            path: leaf.path.clone(),
            field: leaf.field.clone(),
            before: Some(leaf.clone()),
            after: found.map(|at| after[at].clone()),
        })
        .collect();
    let added = after.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(leaf, _)| leaf);
    out.extend(added.map(|leaf| Change {
        path: leaf.path.clone(),
        field: leaf.field.clone(),
        before: None,
        after: Some(leaf.clone()),
    }));
    out
}

/// A value whose key was replaced stands between the same neighbours as before.
fn pair_replaced_keys(rows: &mut [(&Leaf, Option<usize>)], after: &[Leaf], taken: &mut [bool]) {
    for row in 0..rows.len() {
        let leaf = rows[row].0;
        if rows[row].1.is_some() || leaf.key.is_none() {
            continue;
        }
        let previous = rows[..row].iter().rev().find_map(|(_, found)| *found);
        let at = previous.map_or(0, |at| at + 1);
        let replaces =
            |other: &Leaf| other.part == leaf.part && other.key.as_deref().is_some_and(|key| !OWN.contains(&key));
        let fits = after.get(at).is_some_and(replaces);
        if fits && !taken[at] {
            taken[at] = true;
            rows[row].1 = Some(at);
        }
    }
}
