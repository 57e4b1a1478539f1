//! The customer's secrets: one independent 32-byte secret an epoch. Never derived from one root, so that destroying an
//! epoch's secret makes its pseudonyms anonymous for good.
//!
//! ```text
//! pending ─▶ active ─▶ overlap ─▶ retired ─▶ destroyed
//! ```
//!
//! New tokens are made in the `active` epoch, or in a `pending` one whose time has come, so that many replicas change
//! over at one moment without a file being edited at that moment. `overlap` and `retired` epochs only reveal and match.

mod error;
mod file;
mod text;

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::derive::EpochKeys;

pub use error::{Exposure, KeyringError};
pub use file::keep_out_of_core_dumps;

/// What an epoch is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Will be used from its `not_before` on.
    Pending,
    /// Makes new tokens.
    Active,
    /// Was active until recently; its tokens are still on their way.
    Overlap,
    /// Only reveals and matches.
    Retired,
    /// Has no secret any more.
    Destroyed,
}

impl State {
    pub const ALL: [State; 5] = [State::Pending, State::Active, State::Overlap, State::Retired, State::Destroyed];

    /// The word for it in keyring files.
    pub const fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Active => "active",
            State::Overlap => "overlap",
            State::Retired => "retired",
            State::Destroyed => "destroyed",
        }
    }
}

/// One epoch of a keyring.
#[derive(Debug)]
pub struct Epoch {
    id: u32,
    state: State,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    /// `None` once destroyed.
    secret: Option<Secret>,
}

impl Epoch {
    /// The number that stands in its tokens; 0 for a throw-away key only.
    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// From when on it makes tokens; always, if there is none.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// Until before when it makes tokens.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// Eight characters that tell apart different secrets, and say nothing else; `None` if destroyed.
    pub fn check_value(&self) -> Option<String> {
        self.keys().map(|keys| keys.check_value())
    }

    pub(in crate::pseudonym) fn keys(&self) -> Option<EpochKeys> {
        self.secret.as_ref().map(|secret| EpochKeys::new(&secret.0))
    }

    fn makes_tokens_at(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Active | State::Pending)
            && self.secret.is_some()
            && self.not_before.is_none_or(|from| from <= now)
            && self.not_after.is_none_or(|until| now < until)
    }
}

/// The epochs of a keyring file, in its order.
#[derive(Debug)]
pub struct Keyring {
    epochs: Vec<Epoch>,
}

impl Keyring {
    /// Reads a keyring file. It must be a regular file (links are followed) that belongs to this process's user or to root
    /// and that nobody else may read. The one exception: a file of root's may be read by a group that this process is
    /// in, which is what a Kubernetes Secret with `fsGroup` looks like (0440).
    pub fn load(path: &Path) -> Result<Keyring, KeyringError> {
        Keyring::parse(&file::read(path)?, path)
    }

    /// Reads a keyring's text, wherever it comes from; `name` stands for it in errors.
    pub fn parse(text: &str, name: &Path) -> Result<Keyring, KeyringError> {
        text::parse(text).map_err(|problem| problem.at(name))
    }

    /// A random key that is written nowhere, as epoch 0: the tokens of this process join with nothing else.
    pub fn ephemeral() -> Result<Keyring, KeyringError> {
        Ok(Keyring { epochs: vec![Epoch { id: 0, ..Epoch::generate()? }] })
    }

    /// A new keyring with one active epoch, 1, from `now` on.
    pub fn generate(now: SystemTime) -> Result<Keyring, KeyringError> {
        let not_before = timestamp(now).and_then(|now| Timestamp::from_second(now.as_second()).ok());
        Ok(Keyring { epochs: vec![Epoch { not_before, ..Epoch::generate()? }] })
    }

    /// Adds an epoch with a secret of its own, that makes the tokens from `from` on: at once, or when its time has come. The
    /// one before it ends then; if that is now, its tokens are still on their way and it is in `overlap`.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn rotate(&mut self, from: SystemTime, now: SystemTime) -> Result<u32, KeyringError> {
        let whole_second = |time| timestamp(time).and_then(|time| Timestamp::from_second(time.as_second()).ok());
        let (from, at_once) = (whole_second(from), from <= now);
        let id = self.epochs.iter().map(|epoch| epoch.id).max().unwrap_or(0) + 1;
        for epoch in &mut self.epochs {
            if matches!(epoch.state, State::Active | State::Pending) && epoch.not_before <= from {
                epoch.not_after = Some(epoch.not_after.into_iter().chain(from).min().unwrap_or(Timestamp::MAX));
                if at_once {
                    epoch.state = State::Overlap;
                }
            }
        }
        let state = if at_once { State::Active } else { State::Pending };
        self.epochs.push(Epoch { id, state, not_before: from, ..Epoch::generate()? });
        Ok(id)
    }

    /// An epoch's tokens are on their way no more: it only reveals and matches from now on.
    ///
    /// # Errors
    /// If there is no such epoch, it is the one that makes the tokens now, or it is in a state past this one.
    pub fn retire(&mut self, id: u32, now: SystemTime) -> Result<(), KeyringError> {
        self.idle(id, now)?.state = State::Retired;
        Ok(())
    }

    /// Takes an epoch's secret away: from then on its tokens are anonymous, for the key holder too.
    ///
    /// # Errors
    /// As [`Keyring::retire`].
    pub fn destroy(&mut self, id: u32, now: SystemTime) -> Result<(), KeyringError> {
        let epoch = self.idle(id, now)?;
        (epoch.state, epoch.secret) = (State::Destroyed, None);
        Ok(())
    }

    /// An epoch that makes no tokens now and is not destroyed.
    fn idle(&mut self, id: u32, now: SystemTime) -> Result<&mut Epoch, KeyringError> {
        let makes_tokens = self.epoch_at(now).map(Epoch::id) == Some(id);
        let epoch = self.epochs.iter_mut().find(|epoch| epoch.id == id);
        let epoch = epoch.ok_or(KeyringError::Epoch { id, problem: "there is no such epoch" })?;
        match epoch.state {
            _ if makes_tokens => Err(KeyringError::Epoch { id, problem: "it makes the tokens now: rotate first" }),
            State::Destroyed => Err(KeyringError::Epoch { id, problem: "it is destroyed" }),
            _ => Ok(epoch),
        }
    }

    /// Puts this keyring in place of a file's: at once or not at all, with mode 0600.
    ///
    /// # Errors
    /// If it cannot be written; the file is as it was then.
    pub fn replace(&self, path: &Path) -> Result<(), KeyringError> {
        file::replace(path, &text::render(self))
    }

    /// Writes a keyring file with mode 0600. A file that exists is never touched.
    pub fn save(&self, path: &Path) -> Result<(), KeyringError> {
        file::create(path, &text::render(self))
    }

    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    pub fn epoch(&self, id: u32) -> Option<&Epoch> {
        self.epochs.iter().find(|epoch| epoch.id == id)
    }

    /// The epoch in which tokens are made at `now`: among the active one and the pending ones, of those whose time it is,
    /// the one that began last.
    pub fn epoch_at(&self, now: SystemTime) -> Option<&Epoch> {
        let now = timestamp(now)?;
        self.epochs.iter().filter(|epoch| epoch.makes_tokens_at(now)).max_by_key(|epoch| epoch.not_before)
    }

    /// The next moment after `now` at which [`Keyring::epoch_at`] may answer differently.
    pub fn next_change(&self, now: SystemTime) -> Option<SystemTime> {
        let now = timestamp(now)?;
        self.epochs
            .iter()
            .filter(|epoch| matches!(epoch.state, State::Active | State::Pending))
            .flat_map(|epoch| [epoch.not_before, epoch.not_after])
            .flatten()
            .filter(|&moment| moment > now)
            .min()
            .map(SystemTime::from)
    }
}

impl Epoch {
    fn generate() -> Result<Epoch, KeyringError> {
        let mut secret = Secret::empty();
        SystemRandom::new().fill(secret.0.as_mut()).map_err(|_| KeyringError::Random)?;
        Ok(Epoch { id: 1, state: State::Active, not_before: None, not_after: None, secret: Some(secret) })
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

/// 32 secret bytes: on the heap so that moving leaves no copies, wiped when dropped, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Secret(Box<[u8; 32]>);

impl Secret {
    fn empty() -> Secret {
        Secret(Box::new([0; 32]))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> SystemTime {
        SystemTime::from(time.parse::<Timestamp>().unwrap())
    }

    fn keyring(epochs: &[(u32, &str, &str, &str)]) -> Keyring {
        let mut text = "version = 1\n".to_owned();
        for (i, (id, state, from, until)) in epochs.iter().enumerate() {
            let character = char::from(b'B' + i as u8);
            text +=
                &format!("[[epoch]]\nid = {id}\nstate = \"{state}\"\nsecret = \"{character}{}=\"\n", "A".repeat(42));
            for (key, value) in [("not_before", from), ("not_after", until)] {
                if !value.is_empty() {
                    text += &format!("{key} = \"{value}T00:00:00Z\"\n");
                }
            }
        }
        Keyring::parse(&text, "keyring".as_ref()).unwrap()
    }

    #[test]
    fn tokens_are_made_in_the_epoch_that_began_last() {
        let keyring = keyring(&[
            (1, "retired", "2026-01-01", ""),
            (2, "overlap", "2026-02-01", ""),
            (3, "active", "2026-03-01", "2026-05-02"),
            (4, "pending", "2026-05-01", "2026-07-01"),
            (5, "pending", "2026-08-01", ""),
        ]);
        let id = |time| keyring.epoch_at(at(time)).map(Epoch::id);
        assert_eq!(id("2026-02-28T23:59:59Z"), None);
        assert_eq!(id("2026-03-01T00:00:00Z"), Some(3));
        assert_eq!(id("2026-04-30T23:59:59Z"), Some(3));
        assert_eq!(id("2026-05-01T00:00:00Z"), Some(4));
        assert_eq!(id("2026-06-30T23:59:59Z"), Some(4));
        assert_eq!(id("2026-07-01T00:00:00Z"), None);
        assert_eq!(id("2027-01-01T00:00:00Z"), Some(5));

        assert_eq!(keyring.next_change(at("2026-01-01T00:00:00Z")), Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(keyring.next_change(at("2026-04-01T00:00:00Z")), Some(at("2026-05-01T00:00:00Z")));
        assert_eq!(keyring.next_change(at("2026-08-01T00:00:00Z")), None);
        assert_eq!(keyring.epoch(2).map(Epoch::state), Some(State::Overlap));
        assert!(keyring.epoch(9).is_none());
    }

    #[test]
    fn an_active_epoch_without_a_beginning_yields_to_one_that_has_begun() {
        let keyring = keyring(&[(1, "active", "", ""), (2, "pending", "2026-05-01", "")]);
        assert_eq!(keyring.epoch_at(at("2026-04-30T00:00:00Z")).unwrap().id(), 1);
        assert_eq!(keyring.epoch_at(at("2026-05-01T00:00:00Z")).unwrap().id(), 2);
    }

    #[test]
    fn a_saved_keyring_is_the_same_when_it_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring.toml");
        let keyring = Keyring::generate(at("2026-11-21T10:11:12.5Z")).unwrap();
        keyring.save(&file).unwrap();
        let loaded = Keyring::load(&file).unwrap();
        assert_eq!(loaded.epochs()[0].check_value(), keyring.epochs()[0].check_value());
        assert_eq!(loaded.epochs()[0].not_before(), Some("2026-11-21T10:11:12Z".parse().unwrap()));
        assert_eq!(loaded.epoch_at(at("2026-11-21T10:11:12.5Z")).unwrap().id(), 1, "it can be used at once");
    }

    #[test]
    fn a_rotation_hands_over_at_its_moment_and_not_before() {
        let now = at("2026-03-01T00:00:00Z");
        let mut ring = keyring(&[(4, "active", "2026-01-01", "")]);
        let later = at("2026-05-01T00:00:00Z");
        assert_eq!(ring.rotate(later, now).unwrap(), 5);
        assert_eq!(ring.epoch_at(at("2026-04-30T23:59:59Z")).unwrap().id(), 4);
        assert_eq!(ring.epoch_at(later).unwrap().id(), 5);

        assert_eq!(ring.rotate(now, now).unwrap(), 6);
        assert_eq!(ring.epoch(4).unwrap().state(), State::Overlap);
        assert_eq!(ring.epoch_at(now).unwrap().id(), 6);
        assert_eq!(ring.epoch_at(later).unwrap().id(), 5, "what was planned stays planned");
    }

    #[test]
    fn a_destroyed_epoch_has_no_secret_and_the_one_in_use_cannot_be_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring.toml");
        let now = at("2026-03-02T00:00:00Z");
        let mut ring = keyring(&[(1, "active", "2026-01-01", "")]);
        ring.save(&file).unwrap();
        assert!(ring.destroy(1, now).is_err() && ring.retire(1, now).is_err() && ring.destroy(9, now).is_err());
        ring.rotate(now, now).unwrap();
        ring.retire(1, now).unwrap();
        assert_eq!(ring.epoch(1).unwrap().state(), State::Retired);
        ring.destroy(1, now).unwrap();
        assert!(ring.destroy(1, now).is_err(), "once is enough");
        ring.replace(&file).unwrap();
        let loaded = Keyring::load(&file).unwrap();
        assert_eq!(
            (loaded.epoch(1).unwrap().state(), loaded.epoch(1).unwrap().check_value()),
            (State::Destroyed, None)
        );
        assert_eq!(loaded.epoch_at(now).unwrap().id(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn every_generated_secret_is_another() {
        let value = || Keyring::ephemeral().unwrap().epochs()[0].check_value().unwrap();
        assert_ne!(value(), value());
    }
}
