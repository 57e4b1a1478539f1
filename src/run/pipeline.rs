//! What a worker does with a request: filter, send, and filter what comes back.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;

use super::loaded::{Loaded, State};
use crate::filter::{Refusal, Worker};
use crate::grpc::{Code, Status};
use crate::otlp::{Part, Signal};
use crate::receive::Export;
use crate::send::Sender;

/// A worker's memory and its way to the destination.
pub struct Pipeline {
    state: Arc<State>,
    memory: Mutex<Worker>,
    sender: Sender,
}

impl Pipeline {
    pub fn new(state: Arc<State>, sender: Sender) -> Pipeline {
        Pipeline { state, memory: Mutex::default(), sender }
    }

    /// The request as it may leave. A panic in the filter costs its request and the worker's memory, no more.
    fn filter(&self, loaded: &Loaded, signal: Signal, request: Bytes) -> Result<Bytes, Status> {
        let started = Instant::now();
        let address = request.as_ptr();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let caught = catch_unwind(AssertUnwindSafe(|| loaded.engine.filter(&mut memory, signal, request)));
        let Ok(outcome) = caught else {
            *memory = Worker::default();
            return Err(Status::new(Code::Internal, "filter_panicked", "the filter failed"));
        };
        let counts = memory.take_counts();
        drop(memory);
        let metrics = &self.state.metrics;
        metrics.count(signal, &counts, &loaded.rules);
        let filtered = outcome.map_err(refused)?;
        let unchanged = filtered.bytes.as_ptr() == address;
        metrics.filtered(signal, filtered.records, filtered.dropped, unchanged, started.elapsed());
        Ok(filtered.bytes)
    }

    /// A text of the destination's, or about it, as it may be told.
    fn filter_text(&self, loaded: &Loaded, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = || loaded.engine.filter_text(&mut memory, Part::DestinationMessage, text);
        catch_unwind(AssertUnwindSafe(filter)).unwrap_or_else(|_| {
            *memory = Worker::default();
            "(not shown)".to_owned()
        })
    }
}

impl Export for Pipeline {
    async fn export(&self, signal: Signal, request: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        let loaded = self.state.loaded();
        let bytes = self.filter(&loaded, signal, request)?;
        self.state.metrics.sent(signal, bytes.len());
        match self.sender.send(signal, bytes, deadline).await {
            Ok(response) if response.is_empty() => Ok(response),
            Ok(response) => Ok(self.acknowledgement(&loaded, response)),
            Err(status) => {
                let mut message = self.filter_text(&loaded, &status.message);
                // Only now: an identifier that is cut in two is not found.
                message.truncate(message.floor_char_boundary(Status::LONGEST_MESSAGE));
                self.state.destination_said(status.code, &message);
                Err(Status { message: Cow::Owned(message), ..status })
            }
        }
    }
}

impl Pipeline {
    /// A partial success, its text filtered; all else that stands in the response is dropped.
    fn acknowledgement(&self, loaded: &Loaded, response: Bytes) -> Bytes {
        let Ok(ExportResponse { partial_success: Some(partial) }) = ExportResponse::decode(response) else {
            return Bytes::new();
        };
        let error_message = self.filter_text(loaded, &partial.error_message);
        let partial_success = Some(PartialSuccess { error_message, ..partial });
        ExportResponse { partial_success }.encode_to_vec().into()
    }
}

fn refused(refusal: Refusal) -> Status {
    let code = match refusal {
        Refusal::Malformed { .. } => Code::InvalidArgument,
        Refusal::TooLarge { .. } => Code::ResourceExhausted,
    };
    Status::new(code, refusal.reason(), refusal.reason())
}

/// The response of all four signals: `Export…ServiceResponse` are alike on the wire.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}
