//! What can be reloaded: policy, keys, credentials. Swapped whole; the last good state stays.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, Guard};

use super::start::StartError;
use crate::config::{Config, Destination};
use crate::filter::Engine;
use crate::grpc::Code;
use crate::observe::{Family, Metrics, RuleCounters};
use crate::policy::Policy;
use crate::pseudonym::{Keyring, Pseudonyms};
use crate::receive::Budget;
use crate::send::Target;

/// The same news about the destination is logged no more often.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// A policy and keys that are in force.
pub struct Loaded {
    pub engine: Engine,
    pub rules: RuleCounters,
    /// When a key's or an exception's time is over and all is to be loaded again.
    pub until: Option<SystemTime>,
}

impl Loaded {
    fn tell(&self, metrics: &Metrics) {
        let (policy, pseudonyms) = (self.engine.policy(), self.engine.pseudonyms());
        metrics.in_force(policy.digest(), pseudonyms.epoch(), pseudonyms.check_value());
    }
}

/// What all of a process's tasks share.
pub struct State {
    pub metrics: Arc<Metrics>,
    pub budget: Arc<Budget>,
    loaded: ArcSwap<Loaded>,
    sources: Sources,
    /// The gRPC destination, if it is one.
    pub target: Option<Arc<Target>>,
    reloading: Mutex<()>,
    reload_error: ArcSwap<Option<String>>,
    logged: Mutex<Option<(Code, Instant)>>,
}

/// Where the reloadable things come from.
struct Sources {
    policies: Vec<PathBuf>,
    recipient: String,
    keys: Keys,
}

enum Keys {
    File(PathBuf),
    /// A throw-away key, the same for the process's life.
    Memory(Keyring),
}

impl State {
    /// Proves everything that a configuration names, and binds nothing.
    pub fn prove(config: &Config) -> Result<State, StartError> {
        let metrics = Arc::new(Metrics::default());
        let keys = match &config.keyring {
            Some(path) => Keys::File(path.clone()),
            None if config.destination.is_local() => Keys::Memory(Keyring::ephemeral()?),
            None => return Err(StartError::KeyringRequired),
        };
        let sources = Sources { policies: config.policies.clone(), recipient: config.recipient().to_owned(), keys };
        let loaded = sources.load(&metrics)?;
        let target = match &config.destination {
            Destination::Stdout => None,
            Destination::Grpc(grpc) => Some(Arc::new(Target::new(grpc.clone(), Arc::clone(&metrics))?)),
        };
        loaded.tell(&metrics);
        Ok(State {
            metrics,
            budget: Budget::new(config.limits.in_flight),
            loaded: ArcSwap::from_pointee(loaded),
            sources,
            target,
            reloading: Mutex::new(()),
            reload_error: ArcSwap::default(),
            logged: Mutex::default(),
        })
    }

    pub fn loaded(&self) -> Guard<Arc<Loaded>> {
        self.loaded.load()
    }

    /// Who receives the data.
    pub fn recipient(&self) -> &str {
        &self.sources.recipient
    }

    /// Where it goes: a URL, or `stdout`.
    pub fn destination(&self) -> String {
        self.target.as_ref().map_or_else(|| "stdout".to_owned(), |target| target.endpoint().to_string())
    }

    /// All metrics as they stand now.
    pub fn families(&self) -> Vec<Family> {
        self.metrics.families(self.budget.used())
    }

    /// Whether tokens are made with a throw-away key.
    pub fn key_is_throw_away(&self) -> bool {
        matches!(self.sources.keys, Keys::Memory(_))
    }

    /// Reads policy, keyring and credentials again. Either all of it takes effect or none.
    pub fn reload(&self) -> Result<(), StartError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.sources.load(&self.metrics).and_then(|loaded| {
            if let Some(target) = &self.target {
                target.reload()?;
            }
            Ok(loaded)
        });
        self.metrics.reloaded(outcome.is_ok());
        let loaded = outcome.inspect_err(|error| {
            tracing::error!(%error, "reload refused; the last good policy, keys and credentials stay in force");
            self.reload_error.store(Arc::new(Some(error.to_string())));
        })?;
        loaded.tell(&self.metrics);
        self.loaded.store(Arc::new(loaded));
        self.reload_error.store(Arc::new(None));
        tracing::info!("reloaded");
        Ok(())
    }

    /// Why the last reload was refused, while it is.
    pub fn reload_error(&self) -> Option<String> {
        (**self.reload_error.load()).clone()
    }

    /// Logs an unhappy outcome of the destination's, now and then. The text has been filtered.
    pub fn destination_said(&self, code: Code, text: &str) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_some_and(|(last, at)| last == code && at.elapsed() < LOG_PAUSE) {
            return;
        }
        *logged = Some((code, Instant::now()));
        tracing::warn!(code = code.name(), text, "the destination did not accept a request");
    }
}

impl Sources {
    fn load(&self, metrics: &Metrics) -> Result<Loaded, StartError> {
        let policy = if self.policies.is_empty() { Policy::base() } else { Policy::load(&self.policies)? };
        let now = SystemTime::now();
        let (pseudonyms, next_change) = match &self.keys {
            Keys::Memory(keyring) => (self.pseudonyms(keyring, &policy, now)?, None),
            Keys::File(path) => {
                let keyring = Keyring::load(path)?;
                (self.pseudonyms(&keyring, &policy, now)?, keyring.next_change(now))
            }
        };
        let rules = policy.rules().iter().map(|rule| (rule.name.clone(), rule.action.name()));
        let rules = metrics.rule_counters(rules);
        let until = [next_change, policy.next_expiry().and_then(end_of)].into_iter().flatten().min();
        Ok(Loaded { engine: Engine::new(Arc::new(policy), Arc::new(pseudonyms)), rules, until })
    }

    fn pseudonyms(&self, keyring: &Keyring, policy: &Policy, now: SystemTime) -> Result<Pseudonyms, StartError> {
        Ok(Pseudonyms::new(keyring, &self.recipient, policy.kinds(), now)?)
    }
}

/// When a day is over, in UTC.
fn end_of(day: jiff::civil::Date) -> Option<SystemTime> {
    Some(day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}
