//! Where policies and keys come from, and how they become passes of the filter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::loaded::{Loaded, Pass};
use super::shadow::{Candidate, Shadow};
use super::start::StartError;
use super::watch::Stamps;
use crate::config::{self, Config, To};
use crate::filter::Engine;
use crate::observe::Metrics;
use crate::observe::audit::{Ledger, Of};
use crate::policy::{Policy, Tls};
use crate::pseudonym::{Keyring, Pseudonyms};

/// How often files that change while they are read are read again.
const TRIES: usize = 10;

/// Where the reloadable things come from.
pub struct Sources {
    /// By destination.
    wanted: Vec<Wanted>,
    keys: Keys,
    /// What leaves is written down.
    is_audited: bool,
}

/// What one destination is to get.
struct Wanted {
    destination: String,
    address: String,
    required: bool,
    recipient: String,
    policies: Vec<PathBuf>,
    /// What it gets stays on this machine: in no region, over no network.
    is_local: bool,
    region: Option<String>,
    /// The oldest TLS that is spoken with it.
    tls: Option<Tls>,
    shadow: Option<config::Shadow>,
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
            address: destination.to.address(),
            required: destination.required,
            recipient: config.recipient(destination).to_owned(),
            policies: config.policies(destination).to_vec(),
            is_local: destination.to.is_local(),
            region: destination.region.clone(),
            tls: tls(&destination.to),
            shadow: config.shadow(destination).cloned(),
        });
        Ok(Sources { wanted: wanted.collect(), keys, is_audited: config.audit.is_some() })
    }

    pub fn key_is_throw_away(&self) -> bool {
        matches!(self.keys, Keys::Memory(_))
    }

    /// Reads everything, and no mixture: files that change meanwhile are read again. With the stamps of what was read.
    pub fn load(&self, metrics: &Metrics) -> (Result<Loaded, StartError>, Stamps) {
        let mut before = Stamps::of(self.files(None));
        for _ in 0..TRIES {
            // Whatever becomes of candidates, what is in force does not wait for them to come to rest.
            let candidates = Stamps::of(self.candidates(None));
            let outcome = self.load_once(metrics);
            let after = Stamps::of(self.files(outcome.as_ref().ok()));
            // Also where a policy named files that have not been looked at before.
            if after == before {
                let extended = Stamps::of(self.candidates(outcome.as_ref().ok()));
                return (outcome, after.and(candidates).and(extended));
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

    /// The files of candidate policies: those that are named, or those that were read besides.
    fn candidates(&self, loaded: Option<&Loaded>) -> Vec<PathBuf> {
        let named =
            || self.wanted.iter().filter_map(|wanted| wanted.shadow.as_ref()).flat_map(|shadow| &shadow.policies);
        match loaded {
            None => named().cloned().collect(),
            Some(loaded) => {
                let read = loaded.shadows.iter().filter_map(|shadow| shadow.candidate.as_ref().ok());
                let read = read.flat_map(|candidate| candidate.policy().files());
                read.filter(|path| named().all(|known| known != *path)).cloned().collect()
            }
        }
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
        let (mut pass_of, mut ledgers) = (Vec::new(), Vec::new());
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
            wanted.must_be_permitted_by(&policy)?;
            // Who gets the same by the same rules, with the same tokens, needs no pass of its own.
            let same = engines.iter().position(|(engine, _)| {
                engine.policy().digest() == policy.digest() && engine.pseudonyms().recipient() == wanted.recipient
            });
            let pass = match same {
                Some(pass) => pass,
                None => {
                    let pseudonyms = Pseudonyms::new(keyring, &wanted.recipient, policy.kinds(), now)?;
                    let engine = Engine::new(Arc::clone(&policy), Arc::new(pseudonyms));
                    let engine = if self.is_audited { engine.counting_fields() } else { engine };
                    engines.push((engine, Vec::new()));
                    engines.len() - 1
                }
            };
            if self.is_audited {
                let of = wanted.of(policy, engines[pass].0.pseudonyms(), self.key_is_throw_away());
                ledgers.push(Arc::new(Ledger::new(of, jiff::Timestamp::now())));
            }
            engines[pass].1.push(wanted);
            pass_of.push(pass);
        }
        let shadows = shadows(&engines, keyring, now);
        let excepted_until = policies.iter().filter_map(|(_, policy)| policy.next_expiry().and_then(end_of)).min();
        let until = [excepted_until, next_change].into_iter().flatten().min();
        let passes = engines.into_iter().map(|(engine, wanted)| {
            let names: Vec<&str> = wanted.iter().map(|wanted| wanted.destination.as_str()).collect();
            let rules = engine.policy().rules().iter().map(|rule| (rule.name.clone(), rule.action.name()));
            let rules = metrics.rule_counters(&names.join(","), rules);
            Pass { engine, rules, required: wanted.iter().any(|wanted| wanted.required) }
        });
        Ok(Loaded { passes: passes.collect(), pass_of, ledgers, shadows, until, excepted_until })
    }
}

impl Wanted {
    /// What the audit trail says of what goes there.
    fn of(&self, policy: Arc<Policy>, pseudonyms: &Pseudonyms, throw_away: bool) -> Of {
        Of {
            destination: self.destination.clone(),
            address: self.address.clone(),
            recipient: self.recipient.clone(),
            region: self.region.clone(),
            required: self.required,
            policy,
            epoch: pseudonyms.epoch(),
            key_check_value: pseudonyms.check_value(),
            throw_away,
        }
    }

    fn must_be_permitted_by(&self, policy: &Policy) -> Result<(), StartError> {
        if self.is_local {
            return Ok(());
        }
        let destination = || self.destination.clone();
        if !policy.permits_region(self.region.as_deref()) {
            let permitted = policy.regions().into_iter().map(str::to_owned).collect();
            return Err(StartError::Region { destination: destination(), region: self.region.clone(), permitted });
        }
        match policy.tls() {
            Some(least) if self.tls < Some(least) => Err(StartError::Tls { destination: destination(), least }),
            _ => Ok(()),
        }
    }
}

/// The candidates beside the engines, one for all destinations of an engine that have the same.
fn shadows(engines: &[(Engine, Vec<&Wanted>)], keyring: &Keyring, now: SystemTime) -> Vec<Arc<Shadow>> {
    let mut shadows = Vec::new();
    for (pass, (live, wanted)) in engines.iter().enumerate() {
        let mut configured: Vec<(&config::Shadow, Vec<&Wanted>)> = Vec::new();
        for wanted in wanted {
            let Some(shadow) = &wanted.shadow else { continue };
            match configured.iter_mut().find(|(known, _)| *known == shadow) {
                Some((_, sharing)) => sharing.push(wanted),
                None => configured.push((shadow, vec![wanted])),
            }
        }
        for (shadow, wanted) in configured {
            let names: Vec<&str> = wanted.iter().map(|wanted| wanted.destination.as_str()).collect();
            // A candidate is no reason for what is in force to fail, not even by a defect.
            let candidate = catch_unwind(AssertUnwindSafe(|| candidate(shadow, live, &wanted, keyring, now)));
            let candidate = candidate.unwrap_or_else(|_| Err("it cannot be loaded, by a defect of Privet".to_owned()));
            let sample = shadow.sample;
            shadows.push(Arc::new(Shadow { destinations: names.join(","), pass, sample, candidate }));
        }
    }
    shadows
}

fn candidate(
    shadow: &config::Shadow,
    live: &Engine,
    wanted: &[&Wanted],
    keyring: &Keyring,
    now: SystemTime,
) -> Result<Candidate, String> {
    let policy = Policy::load(&shadow.policies).map_err(|wrong| wrong.to_string())?;
    for wanted in wanted {
        wanted.must_be_permitted_by(&policy).map_err(|wrong| wrong.to_string())?;
    }
    // With the same keys, so that a token that stays the same is the same.
    let pseudonyms = Pseudonyms::new(keyring, live.pseudonyms().recipient(), policy.kinds(), now);
    let pseudonyms = pseudonyms.map_err(|wrong| wrong.to_string())?;
    Ok(Candidate::new(live.clone(), Engine::new(Arc::new(policy), Arc::new(pseudonyms))))
}

fn tls(to: &To) -> Option<Tls> {
    match to {
        To::Grpc(grpc) if grpc.endpoint.secure => Some(if grpc.tls.allow_tls12 { Tls::V12 } else { Tls::V13 }),
        _ => None,
    }
}

/// When a day is over, in UTC.
fn end_of(day: jiff::civil::Date) -> Option<SystemTime> {
    Some(day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Destination;
    use crate::send::Endpoint;

    fn wanted(endpoint: &str, region: Option<&str>, allow_tls12: bool) -> Wanted {
        let mut destination = Destination::from(endpoint.parse::<Endpoint>().unwrap());
        if let To::Grpc(grpc) = &mut destination.to {
            grpc.tls.allow_tls12 = allow_tls12;
        }
        Wanted {
            destination: "vendor".into(),
            address: destination.to.address(),
            required: true,
            recipient: "vendor".into(),
            policies: Vec::new(),
            is_local: destination.to.is_local(),
            region: region.map(str::to_owned),
            tls: tls(&destination.to),
            shadow: None,
        }
    }

    fn refusal(wanted: &Wanted, demands: &str) -> String {
        let text = format!("version: 1\nname: x\nextends: [base]\n{demands}\n");
        let policy =
            Policy::parse(&[("x.yaml", &text)], jiff::civil::Date::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
        wanted.must_be_permitted_by(&policy).map_or_else(|error| error.to_string(), |()| "permitted".to_owned())
    }

    #[test]
    fn a_destination_must_be_in_a_region_that_the_policy_permits() {
        let away = "https://otlp.example.com";
        for (region, demands, said) in [
            (Some("eu-central-1"), "regions: [eu, ch]", "permitted"),
            (Some("EU"), "regions: [eu]", "permitted"),
            (Some("us-east-1"), "regions: [eu, ch]", "`vendor` is in us-east-1, and the policy permits eu, ch only"),
            (None, "regions: [eu]", "`vendor` declares no `region`, and the policy permits eu only"),
            (None, "", "permitted"),
        ] {
            assert!(refusal(&wanted(away, region, false), demands).contains(said), "{region:?} {demands}");
        }
        assert_eq!(refusal(&wanted("http://127.0.0.1:4317", None, false), "regions: [eu]"), "permitted");
    }

    #[test]
    fn a_destination_must_be_spoken_to_by_no_older_tls_than_the_policy_permits() {
        for (endpoint, allow_tls12, demands, permitted) in [
            ("https://a.example", false, "tls: '1.3'", true),
            ("https://a.example", true, "tls: '1.3'", false),
            ("https://a.example", true, "tls: '1.2'", true),
            ("http://a.example", false, "tls: '1.2'", false),
            ("http://a.example", false, "", true),
            ("http://127.0.0.1:1", false, "tls: '1.3'", true),
        ] {
            let told = refusal(&wanted(endpoint, None, allow_tls12), demands);
            assert_eq!(told == "permitted", permitted, "{endpoint} {allow_tls12} {demands}: {told}");
            assert!(permitted || told.contains("asks for TLS 1."), "{told}");
        }
    }
}
