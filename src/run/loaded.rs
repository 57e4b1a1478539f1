//! What is in force, and can be reloaded: policies, keys, credentials. Swapped whole; the last good state stays.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;

use super::destination::Destination;
use super::outcome;
use super::shadow::Shadow;
use super::sources::Sources;
use super::start::StartError;
use super::watch::Watch;
use crate::config::Config;
use crate::filter::Engine;
use crate::observe::audit::{Audit, Ledger, Left, Sending};
use crate::observe::{Family, InForce, Metrics, RuleCounters, shadow_families};
use crate::otlp::Signal;
use crate::receive::Budget;

/// How long a policy may stay in force after one of its exceptions has ended, because it could not be loaded again.
const GRACE: Duration = Duration::from_secs(60);

/// How soon a reload that a time asked for and that was refused is tried again.
const RETRY: Duration = Duration::from_secs(20);

/// Policies and keys that are in force.
#[derive(Default)]
pub struct Loaded {
    /// One for each policy and recipient that differ; never empty.
    pub passes: Vec<Pass>,
    /// By destination: which pass makes what it gets.
    pub pass_of: Vec<usize>,
    /// By destination: what goes there; empty where no trail is kept.
    pub ledgers: Vec<Arc<Ledger>>,
    /// Candidate policies that are compared with those in force, and change nothing.
    pub shadows: Vec<Arc<Shadow>>,
    /// When a key's or an exception's time is over and all is to be loaded again.
    pub until: Option<SystemTime>,
    /// When the first exception's time is over.
    pub excepted_until: Option<SystemTime>,
}

/// One filtering of a request, for all destinations that get the same.
pub struct Pass {
    pub engine: Engine,
    pub rules: RuleCounters,
    /// Whether one of its destinations is required.
    pub required: bool,
}

impl Loaded {
    /// Whether it lets through what it should not any more: the last good policy is not good for ever.
    pub fn is_stale(&self, now: SystemTime) -> bool {
        self.excepted_until.is_some_and(|until| until + GRACE <= now)
    }

    /// Has the audit trail know that a filtered request sets out; what is given back is to be told how that ends.
    pub fn sending(&self, destination: usize, left: Option<&Arc<Left>>) -> Option<Sending> {
        Some(self.ledgers.get(destination)?.send(left?))
    }

    /// Has the audit trail know that nothing of a request goes to a destination.
    pub fn refused(&self, destination: usize, signal: Signal, reason: &'static str) {
        if let Some(ledger) = self.ledgers.get(destination) {
            ledger.refused(signal, reason);
        }
    }

    /// The engine for a destination, by its place in the configuration.
    pub fn engine(&self, destination: usize) -> &Engine {
        &self.passes[self.pass_of[destination]].engine
    }
}

/// What all of a process's tasks share.
pub struct State {
    pub metrics: Arc<Metrics>,
    pub budget: Arc<Budget>,
    /// As in the configuration; never empty.
    pub destinations: Vec<Destination>,
    pub audit: Option<Audit>,
    loaded: ArcSwap<Loaded>,
    sources: Sources,
    /// Held while reloading.
    upkeep: Mutex<Upkeep>,
    reload_error: ArcSwap<Option<String>>,
}

/// What was read last, and when.
struct Upkeep {
    files: Watch,
    tried: Instant,
}

impl State {
    /// Proves everything that a configuration names, and binds nothing.
    pub fn prove(config: &Config) -> Result<State, StartError> {
        let metrics = Arc::new(Metrics::default());
        let sources = Sources::new(config)?;
        let (loaded, read) = sources.load(&metrics);
        let loaded = loaded?;
        let mut files = Watch::default();
        files.have_read(read);
        let destinations = config.destinations.iter();
        let destinations = destinations.map(|destination| Destination::prove(config, destination, &metrics));
        let state = State {
            budget: Budget::new(config.limits.in_flight),
            destinations: destinations.collect::<Result<_, _>>()?,
            // Last, for it makes a directory.
            audit: config.audit.as_ref().map(|audit| Audit::open(audit, Arc::clone(&metrics))).transpose()?,
            loaded: ArcSwap::from_pointee(loaded),
            sources,
            upkeep: Mutex::new(Upkeep { files, tried: Instant::now() }),
            reload_error: ArcSwap::default(),
            metrics,
        };
        state.tell(&state.loaded());
        Ok(state)
    }

    /// A line for each required destination that cannot be reached, saying why.
    pub async fn unreachable(&self) -> String {
        let required = self.destinations.iter().filter(|destination| destination.required);
        let asked = outcome::all(required.map(|destination| async move {
            let why = destination.target.as_ref()?.reach().await.err()?;
            Some(format!("{}: {why}\n", destination.name()))
        }));
        asked.await.into_iter().flatten().collect()
    }

    pub fn loaded(&self) -> Guard<Arc<Loaded>> {
        self.loaded.load()
    }

    /// All metrics as they stand now.
    pub fn families(&self) -> Vec<Family> {
        let mut families = self.metrics.families(self.budget.used());
        families.extend(shadow_families(self.loaded().shadows.iter().map(|shadow| &**shadow)));
        families
    }

    /// Whether tokens are made with a throw-away key.
    pub fn key_is_throw_away(&self) -> bool {
        self.sources.key_is_throw_away()
    }

    /// Reads policies, keyring and credentials again. Either all of it takes effect or none.
    pub fn reload(&self) -> Result<(), StartError> {
        let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        self.reload_alone(&mut upkeep)
    }

    /// Reloads if what is in force has had its time, or a file changed.
    pub(super) fn look_after(&self) {
        let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = upkeep.files.look();
        let due = self.loaded().until.is_some_and(|until| until <= SystemTime::now());
        if changed || due && upkeep.tried.elapsed() >= RETRY {
            // A refusal has been told.
            let _ = self.reload_alone(&mut upkeep);
        }
        drop(upkeep);
        if let Some(audit) = &self.audit {
            audit.look_after(Timestamp::now());
        }
        self.destinations.iter().for_each(Destination::look_after);
        self.loaded().shadows.iter().for_each(|shadow| shadow.tell(false));
    }

    fn reload_alone(&self, upkeep: &mut Upkeep) -> Result<(), StartError> {
        let (loaded, read) = self.sources.load(&self.metrics);
        upkeep.files.have_read(read);
        upkeep.tried = Instant::now();
        let outcome = loaded.and_then(|loaded| {
            let targets = self.destinations.iter().filter_map(|destination| destination.target.as_ref());
            let renewed = targets.map(|target| target.renew()).collect::<Result<Vec<_>, _>>()?;
            Ok((loaded, renewed))
        });
        self.metrics.reloaded(outcome.is_ok());
        let (mut loaded, renewed) = outcome.inspect_err(|error| {
            tracing::error!(%error, "reload refused; the last good policy, keys and credentials stay in force");
            self.reload_error.store(Arc::new(Some(error.to_string())));
        })?;
        renewed.into_iter().for_each(crate::send::Renewed::apply);
        let before = self.loaded();
        for shadow in loaded.shadows.iter_mut().filter_map(Arc::get_mut) {
            shadow.follow(&before.shadows);
        }
        self.tell(&loaded);
        let ledgers = loaded.ledgers.clone();
        self.loaded.store(Arc::new(loaded));
        if let Some(audit) = &self.audit {
            audit.replaced(&ledgers, Timestamp::now());
        }
        self.reload_error.store(Arc::new(None));
        tracing::info!("reloaded");
        Ok(())
    }

    /// Has the metrics show what is in force.
    fn tell(&self, loaded: &Loaded) {
        let policies = self.destinations.iter().enumerate().map(|(index, destination)| InForce {
            destination: destination.name().to_owned(),
            digest: loaded.engine(index).policy().digest().to_owned(),
        });
        let pseudonyms = loaded.engine(0).pseudonyms();
        self.metrics.in_force(policies.collect(), pseudonyms.epoch(), pseudonyms.check_value());
        for shadow in &loaded.shadows {
            let destination = shadow.destinations.as_str();
            match &shadow.candidate {
                Ok(candidate) => {
                    tracing::info!(
                        destination,
                        policy = candidate.policy().digest(),
                        "shadow: a candidate policy is compared"
                    );
                }
                Err(error) => {
                    tracing::error!(destination, %error, "shadow: nothing is compared; what is in force is as it was");
                }
            }
        }
    }

    /// Why the last reload was refused, while it is.
    pub fn reload_error(&self) -> Option<String> {
        (**self.reload_error.load()).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_whose_exception_has_ended_is_good_for_a_minute_and_no_longer() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let loaded = |excepted_until| Loaded { until: Some(end), excepted_until, ..Loaded::default() };
        assert!(!loaded(Some(end)).is_stale(end + Duration::from_secs(59)));
        assert!(loaded(Some(end)).is_stale(end + Duration::from_secs(60)));
        assert!(
            !loaded(None).is_stale(end + Duration::from_secs(1 << 30)),
            "the key's time alone lets nothing through"
        );
    }
}
