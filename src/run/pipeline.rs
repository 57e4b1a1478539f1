//! What a worker does with a request: filter it once for all who get the same, send it, and filter what comes back.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::loaded::{Loaded, Pass, State};
use super::outcome::{self, Outcome};
use super::shadow::Queue;
use crate::filter::{Refusal, Worker};
use crate::grpc::{Code, Status};
use crate::observe::audit::{Audit, Left};
use crate::otlp::{Part, Signal};
use crate::receive::{Export, Held};
use crate::send::Sender;

/// What a delivery that waits costs beside its bytes, about: so many small ones are not free.
const LATE_OVERHEAD: usize = 4 << 10;

/// A worker's memory and its ways to the destinations.
pub struct Pipeline {
    inner: Arc<Inner>,
    /// Deliveries that no agent waits for.
    late: Mutex<JoinSet<()>>,
}

/// A request as it may leave.
#[derive(Clone)]
struct Passed {
    bytes: Bytes,
    /// What of it goes into the audit trail, where there is one.
    left: Option<Arc<Left>>,
}

struct Inner {
    state: Arc<State>,
    /// One for each pass.
    memories: Mutex<Vec<Worker>>,
    /// By destination.
    senders: Vec<Sender>,
    /// Where candidate policies are given what was delivered.
    shadow: Option<Arc<Queue>>,
}

impl Pipeline {
    /// `senders` are the destinations', in their order.
    pub fn new(state: Arc<State>, senders: Vec<Sender>, shadow: Option<Arc<Queue>>) -> Pipeline {
        let inner = Inner { state, memories: Mutex::default(), senders, shadow };
        Pipeline { inner: Arc::new(inner), late: Mutex::default() }
    }

    /// Waits for the deliveries that no agent waits for.
    pub async fn settle(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        late.join_all().await;
    }

    /// Sends a request to a destination that is not required, without keeping the agent.
    fn send_along(&self, destination: usize, loaded: &Arc<Loaded>, signal: Signal, request: Passed, deadline: Instant) {
        let at = &self.inner.state.destinations[destination];
        let mut held = Held::none(&at.late);
        if let Err(status) = held.grow(request.bytes.len() + LATE_OVERHEAD) {
            at.metrics.gave_up();
            if let Some(sending) = loaded.sending(destination, request.left.as_ref()) {
                sending.not_sent();
            }
            return at.said(status.code, "too much is waiting for it");
        }
        let (inner, loaded) = (Arc::clone(&self.inner), Arc::clone(loaded));
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        while late.try_join_next().is_some() {}
        late.spawn(async move {
            let _held = held;
            if inner.deliver(destination, &loaded, signal, request, deadline).await.is_err() {
                inner.state.destinations[destination].metrics.gave_up();
            }
        });
    }
}

impl Export for Pipeline {
    async fn export(&self, signal: Signal, request: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        // One state from here to the answer, whatever is loaded meanwhile.
        let loaded = self.inner.state.loaded();
        let shadowed = self.inner.shadow.as_ref().map(|shadow| (shadow, request.clone()));
        let filtered = self.inner.filter(&loaded, signal, request).inspect_err(|status| {
            let destinations = 0..self.inner.state.destinations.len();
            destinations.for_each(|destination| loaded.refused(destination, signal, status.reason));
        })?;
        let answer = self.send(&loaded, signal, &filtered, deadline).await?;
        // Only what was delivered: what the agent sends again would be counted again.
        if let Some((shadow, request)) = shadowed {
            shadow.offer(&loaded, signal, &request, |pass| Some(&filtered.get(pass)?.as_ref().ok()?.bytes));
        }
        Ok(answer)
    }
}

impl Pipeline {
    /// Sends a request to all destinations, by pass; what the agent is told.
    async fn send(
        &self,
        loaded: &Arc<Loaded>,
        signal: Signal,
        filtered: &[Result<Passed, &'static str>],
        deadline: Instant,
    ) -> Result<Bytes, Status> {
        let mut required = Vec::new();
        for (index, destination) in self.inner.state.destinations.iter().enumerate() {
            match filtered[loaded.pass_of[index]].clone() {
                Ok(request) if destination.required => required.push((index, request)),
                Ok(request) => self.send_along(index, loaded, signal, request, deadline),
                Err(reason) => {
                    loaded.refused(index, signal, reason);
                    destination.metrics.gave_up();
                }
            }
        }
        let deliver = |(index, request)| self.inner.deliver(index, loaded, signal, request, deadline);
        match <[_; 1]>::try_from(required) {
            Ok([only]) => Ok(deliver(only).await?.into_bytes()),
            Err(several) => {
                let names: Vec<&str> =
                    several.iter().map(|(index, _)| self.inner.state.destinations[*index].name()).collect();
                let outcomes = outcome::all(several.into_iter().map(deliver)).await;
                Ok(outcome::together(names.into_iter().zip(outcomes))?.into_bytes())
            }
        }
    }
}

impl Inner {
    /// The request as it may leave, by pass. Where a pass that no required destination needs refuses it, the reason.
    fn filter(
        &self,
        loaded: &Loaded,
        signal: Signal,
        request: Bytes,
    ) -> Result<Vec<Result<Passed, &'static str>>, Status> {
        if self.state.audit.as_ref().is_some_and(Audit::blocks) {
            let text = "the audit trail cannot be written, and nothing may leave unrecorded";
            return Err(Status::new(Code::Unavailable, "audit_failed", text));
        }
        if loaded.excepted_until.is_some() && loaded.is_stale(SystemTime::now()) {
            let text = "an exception of the policy has ended, and the policy cannot be loaded again";
            return Err(Status::new(Code::Unavailable, "policy_stale", text));
        }
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.resize_with(loaded.passes.len(), Worker::default);
        let passes = loaded.passes.iter().zip(memories.iter_mut());
        passes
            .map(|(pass, memory)| match self.pass(pass, memory, signal, request.clone()) {
                Err(status) if !pass.required => Ok(Err(status.reason)),
                filtered => filtered.map(Ok),
            })
            .collect()
    }

    /// A panic in the filter costs its request and the worker's memory, no more.
    fn pass(&self, pass: &Pass, memory: &mut Worker, signal: Signal, request: Bytes) -> Result<Passed, Status> {
        let started = Instant::now();
        let address = request.as_ptr();
        let caught = catch_unwind(AssertUnwindSafe(|| pass.engine.filter(memory, signal, request)));
        let Ok(outcome) = caught else {
            *memory = Worker::default();
            return Err(Status::new(Code::Internal, "filter_panicked", "the filter failed"));
        };
        let metrics = &self.state.metrics;
        let counts = memory.take_counts();
        metrics.count(signal, &counts, &pass.rules);
        let filtered = outcome.map_err(refused)?;
        let unchanged = filtered.bytes.as_ptr() == address;
        metrics.filtered(signal, filtered.records, filtered.dropped, unchanged, started.elapsed());
        let left = self.state.audit.is_some().then(|| Arc::new(Left::new(signal, &filtered, counts)));
        Ok(Passed { bytes: filtered.bytes, left })
    }

    /// Sends a filtered request to one destination; what it says about it is filtered.
    async fn deliver(
        &self,
        index: usize,
        loaded: &Loaded,
        signal: Signal,
        request: Passed,
        deadline: Instant,
    ) -> Result<Outcome, Status> {
        let destination = &self.state.destinations[index];
        self.state.metrics.sent(signal, request.bytes.len());
        let sending = loaded.sending(index, request.left.as_ref());
        let answer = self.senders[index].send(signal, request.bytes, deadline).await;
        match (&answer, sending) {
            (Ok(_), Some(sending)) => sending.accepted(),
            (Err(status), Some(sending)) if status.reason == Status::UNSENT => sending.not_sent(),
            // Without a good word from there it may have left.
            _ => {}
        }
        destination.metrics.delivered(answer.as_ref().map_or_else(|status| status.code, |_| Code::Ok));
        match answer {
            Ok(response) => Ok(Outcome::of(response).map_text(|text| self.filter_text(loaded, signal, text))),
            Err(status) => {
                let mut message = self.filter_text(loaded, signal, &status.message);
                // Only now: an identifier that is cut in two is not found.
                message.truncate(message.floor_char_boundary(Status::LONGEST_MESSAGE));
                destination.said(status.code, &message);
                Err(Status { message: Cow::Owned(message), ..status })
            }
        }
    }

    /// A text of a destination's, or about it, as it may be told: what any destination's policy hides is hidden, for it
    /// goes to the agent and to the log and not to the destination.
    fn filter_text(&self, loaded: &Loaded, signal: Signal, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.resize_with(loaded.passes.len(), Worker::default);
        let passes = loaded.passes.iter().zip(memories.iter_mut());
        passes.fold(text.to_owned(), |text, (pass, memory)| {
            let filter = || pass.engine.filter_text(memory, Part::DestinationMessage, &text);
            let Ok(filtered) = catch_unwind(AssertUnwindSafe(filter)) else {
                *memory = Worker::default();
                return "(not shown)".to_owned();
            };
            self.state.metrics.count(signal, &memory.take_counts(), &pass.rules);
            filtered
        })
    }
}

fn refused(refusal: Refusal) -> Status {
    let code = match refusal {
        Refusal::Malformed { .. } => Code::InvalidArgument,
        Refusal::TooLarge { .. } => Code::ResourceExhausted,
    };
    Status::new(code, refusal.reason(), refusal.reason())
}
