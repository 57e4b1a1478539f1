//! A destination that writes each request as one line of OTLP/JSON, for a look or for a log shipper behind it.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::grpc::{Code, Status};
use crate::otlp::{Signal, json};

/// Lines that may wait for a slow reader; their requests are not answered before.
const WAITING: usize = 16;

/// A writer in a thread of its own, because a pipe's reader may keep it waiting for ever.
pub struct Lines {
    queue: mpsc::Sender<Line>,
}

struct Line {
    text: Vec<u8>,
    written: oneshot::Sender<io::Result<()>>,
}

impl Lines {
    /// Starts the thread; it ends when the value is dropped.
    pub fn new(mut out: impl Write + Send + 'static) -> io::Result<Arc<Lines>> {
        let (queue, mut lines) = mpsc::channel::<Line>(WAITING);
        std::thread::Builder::new().name("lines".into()).spawn(move || {
            while let Some(line) = lines.blocking_recv() {
                let outcome = out.write_all(&line.text).and_then(|()| out.flush());
                // Nobody waits any more where the deadline has passed.
                let _ = line.written.send(outcome);
            }
        })?;
        Ok(Arc::new(Lines { queue }))
    }

    /// Writes one request; it is accepted once it is written.
    pub async fn export(&self, signal: Signal, request: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        let mut text = Vec::with_capacity(request.len() * 2);
        json::encode(signal, &request, &mut text).map_err(|error| {
            Status::new(Code::Internal, "not_encodable", format!("the request cannot be written as JSON: {error}"))
        })?;
        text.push(b'\n');
        let (written, outcome) = oneshot::channel();
        let write = async {
            self.queue.send(Line { text, written }).await.map_err(|_| gone("the writer has ended"))?;
            outcome.await.map_err(|_| gone("the writer has ended"))?.map_err(gone)
        };
        let late = || Status::new(Code::DeadlineExceeded, "destination_slow", "the output's reader is too slow");
        tokio::time::timeout_at(deadline.into(), write).await.unwrap_or_else(|_| Err(late()))?;
        Ok(Bytes::new())
    }
}

fn gone(error: impl std::fmt::Display) -> Status {
    Status::new(Code::Unavailable, "destination_broke_off", format!("the output cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_request_whose_line_cannot_be_written_is_unavailable() {
        let lines = Lines::new(Broken).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let status = lines.export(Signal::Logs, Bytes::new(), deadline).await.unwrap_err();
        assert_eq!(status.code, Code::Unavailable);
    }
}
