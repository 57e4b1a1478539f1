//! A destination, proven: what all workers share of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::watch::{Stamps, Watch};
use crate::config::{self, Config, To};
use crate::grpc::Code;
use crate::observe::{DestinationMetrics, Metrics};
use crate::receive::Budget;
use crate::send::{Target, TargetError};

/// The same news about a destination is logged no more often.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// A destination that is not required may keep that part of the bytes in flight waiting.
const LATE_SHARE: usize = 8;

pub struct Destination {
    pub recipient: String,
    pub required: bool,
    pub region: Option<String>,
    /// `None` for standard output.
    pub target: Option<Arc<Target>>,
    pub metrics: Arc<DestinationMetrics>,
    /// What waits for it while no agent does.
    pub late: Arc<Budget>,
    credentials: Mutex<Watch>,
    logged: Mutex<Option<(Code, Instant)>>,
}

impl Destination {
    pub(super) fn prove(
        config: &Config,
        destination: &config::Destination,
        metrics: &Metrics,
    ) -> Result<Destination, TargetError> {
        let metrics = metrics.destination(&destination.name);
        let mut credentials = Watch::default();
        let target = match &destination.to {
            To::Stdout => None,
            To::Grpc(grpc) => {
                let target = Target::new(grpc.clone(), Arc::clone(&metrics));
                Some(Arc::new(target.inspect(|target| credentials.have_read(Stamps::of(target.files())))?))
            }
        };
        Ok(Destination {
            recipient: config.recipient(destination).to_owned(),
            required: destination.required,
            region: destination.region.clone(),
            target,
            metrics,
            late: Budget::new(config.limits.in_flight / LATE_SHARE),
            credentials: Mutex::new(credentials),
            logged: Mutex::default(),
        })
    }

    pub fn name(&self) -> &str {
        self.metrics.name()
    }

    /// Where it is: a URL, or `stdout`.
    pub fn address(&self) -> String {
        self.target.as_ref().map_or_else(|| "stdout".to_owned(), |target| target.endpoint().to_string())
    }

    /// Reads its credentials again if their files changed; a refusal leaves the last good ones in use.
    pub(super) fn look_after(&self) {
        let Some(target) = &self.target else { return };
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if credentials.look() {
            credentials.have_read(Stamps::of(target.files()));
            match target.renew() {
                Ok(renewed) => renewed.apply(),
                Err(error) => tracing::error!(
                    destination = self.name(),
                    %error,
                    "credentials cannot be read; the last good ones stay in use"
                ),
            }
        }
    }

    /// Logs an unhappy outcome, now and then. The text has been filtered.
    pub(super) fn said(&self, code: Code, text: &str) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_some_and(|(last, at)| last == code && at.elapsed() < LOG_PAUSE) {
            return;
        }
        *logged = Some((code, Instant::now()));
        tracing::warn!(destination = self.name(), code = code.name(), text, "the destination did not accept a request");
    }
}
