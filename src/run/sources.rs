//! Where policies and keys come from, and how they become passes of the filter.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::loaded::{Loaded, Pass};
use super::start::StartError;
use super::watch::Stamps;
use crate::config::Config;
use crate::filter::Engine;
use crate::observe::Metrics;
use crate::policy::Policy;
use crate::pseudonym::{Keyring, Pseudonyms};

/// How often files that change while they are read are read again.
const TRIES: usize = 10;

/// Where the reloadable things come from.
pub struct Sources {
    /// By destination.
    wanted: Vec<Wanted>,
    keys: Keys,
}

/// What one destination is to get.
struct Wanted {
    destination: String,
    required: bool,
    recipient: String,
    policies: Vec<PathBuf>,
}

pub enum Keys {
    File(PathBuf),
    /// A throw-away key, the same for the process's life.
    Memory(Keyring),
}

impl Sources {
    pub fn new(config: &Config) -> Result<Sources, StartError> {
        if !config.destinations.iter().any(|destination| destination.required) {
            return Err(StartError::NoneRequired);
        }
        let keys = match &config.keyring {
            Some(path) => Keys::File(path.clone()),
            None if config.destinations.iter().all(|destination| destination.to.is_local()) => {
                Keys::Memory(Keyring::ephemeral()?)
            }
            None => return Err(StartError::KeyringRequired),
        };
        let wanted = config.destinations.iter().map(|destination| Wanted {
            destination: destination.name.clone(),
            required: destination.required,
            recipient: config.recipient(destination).to_owned(),
            policies: config.policies(destination).to_vec(),
        });
        Ok(Sources { wanted: wanted.collect(), keys })
    }

    pub fn key_is_throw_away(&self) -> bool {
        matches!(self.keys, Keys::Memory(_))
    }

    /// Reads everything, and no mixture: files that change meanwhile are read again. With the stamps of what was read.
    pub fn load(&self, metrics: &Metrics) -> (Result<Loaded, StartError>, Stamps) {
        let mut before = Stamps::of(self.files(None));
        for _ in 0..TRIES {
            let outcome = self.load_once(metrics);
            let after = Stamps::of(self.files(outcome.as_ref().ok()));
            // Also where a policy named files that have not been looked at before.
            if after == before {
                return (outcome, after);
            }
            before = after;
        }
        (Err(StartError::Restless), before)
    }

    /// What is read, as far as it is known.
    fn files(&self, loaded: Option<&Loaded>) -> Vec<PathBuf> {
        let named = self.wanted.iter().flat_map(|wanted| &wanted.policies);
        let extended =
            loaded.into_iter().flat_map(|loaded| &loaded.passes).flat_map(|pass| pass.engine.policy().files());
        let mut files: Vec<PathBuf> = named.chain(extended).cloned().collect();
        if let Keys::File(path) = &self.keys {
            files.push(path.clone());
        }
        files.sort();
        files.dedup();
        files
    }

    fn load_once(&self, metrics: &Metrics) -> Result<Loaded, StartError> {
        let now = SystemTime::now();
        let read;
        let (keyring, next_change) = match &self.keys {
            Keys::Memory(keyring) => (keyring, None),
            Keys::File(path) => {
                read = Keyring::load(path)?;
                (&read, read.next_change(now))
            }
        };
        let mut policies: Vec<(&[PathBuf], Arc<Policy>)> = Vec::new();
        let mut engines: Vec<(Engine, Vec<&Wanted>)> = Vec::new();
        let mut pass_of = Vec::new();
        for wanted in &self.wanted {
            let policy = match policies.iter().find(|(paths, _)| *paths == wanted.policies) {
                Some((_, policy)) => Arc::clone(policy),
                None => {
                    let paths = &wanted.policies;
                    let policy = Arc::new(if paths.is_empty() { Policy::base() } else { Policy::load(paths)? });
                    policies.push((paths, Arc::clone(&policy)));
                    policy
                }
            };
            // Who gets the same by the same rules, with the same tokens, needs no pass of its own.
            let same = engines.iter().position(|(engine, _)| {
                engine.policy().digest() == policy.digest() && engine.pseudonyms().recipient() == wanted.recipient
            });
            let pass = match same {
                Some(pass) => pass,
                None => {
                    let pseudonyms = Pseudonyms::new(keyring, &wanted.recipient, policy.kinds(), now)?;
                    engines.push((Engine::new(policy, Arc::new(pseudonyms)), Vec::new()));
                    engines.len() - 1
                }
            };
            engines[pass].1.push(wanted);
            pass_of.push(pass);
        }
        let excepted_until = policies.iter().filter_map(|(_, policy)| policy.next_expiry().and_then(end_of)).min();
        let until = [excepted_until, next_change].into_iter().flatten().min();
        let passes = engines.into_iter().map(|(engine, wanted)| {
            let names: Vec<&str> = wanted.iter().map(|wanted| wanted.destination.as_str()).collect();
            let rules = engine.policy().rules().iter().map(|rule| (rule.name.clone(), rule.action.name()));
            let rules = metrics.rule_counters(&names.join(","), rules);
            Pass { engine, rules, required: wanted.iter().any(|wanted| wanted.required) }
        });
        Ok(Loaded { passes: passes.collect(), pass_of, until, excepted_until })
    }
}

/// When a day is over, in UTC.
fn end_of(day: jiff::civil::Date) -> Option<SystemTime> {
    Some(day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}
