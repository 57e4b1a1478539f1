//! What destinations said about a request, and what the agent is told where there are several.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use prost::Message as _;

use crate::grpc::Status;

/// A destination took the request; perhaps not all of it.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    partial: Option<PartialSuccess>,
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

impl Outcome {
    /// Reads a response message; all but a partial success is left behind.
    pub fn of(response: Bytes) -> Outcome {
        if response.is_empty() {
            return Outcome::default();
        }
        // It was accepted, whatever is said about it: what cannot be read is taken as nothing said.
        Outcome { partial: ExportResponse::decode(response).unwrap_or_default().partial_success }
    }

    pub fn map_text(self, change: impl FnOnce(&str) -> String) -> Outcome {
        let changed =
            |partial: PartialSuccess| PartialSuccess { error_message: change(&partial.error_message), ..partial };
        Outcome { partial: self.partial.map(changed) }
    }

    /// The response message.
    pub fn into_bytes(self) -> Bytes {
        match self.partial {
            None => Bytes::new(),
            partial_success => ExportResponse { partial_success }.encode_to_vec().into(),
        }
    }
}

/// What the agent is told of a request that several destinations had to take, by their names.
///
/// It is accepted where all took it; of partial successes the one that rejects most is passed on. Where one did not take
/// it, a refusal that is to be tried again goes before one that is not: the agent sends again, to all of them, until
/// those have it that could not take it yet.
pub fn together<'a>(outcomes: impl IntoIterator<Item = (&'a str, Result<Outcome, Status>)>) -> Result<Outcome, Status> {
    let mut worst: Option<Status> = None;
    let mut told = Outcome::default();
    for (name, outcome) in outcomes {
        match outcome.map(|outcome| outcome.map_text(|text| format!("{name}: {text}"))) {
            Ok(outcome) => {
                let rejected = |outcome: &Outcome| outcome.partial.as_ref().map(|partial| partial.rejected);
                if rejected(&outcome) > rejected(&told) {
                    told = outcome;
                }
            }
            Err(status) => {
                let message = Cow::Owned(format!("{name}: {}", status.message));
                let status = Status { message, ..status };
                worst = Some(match worst {
                    None => status,
                    Some(worst) => worse(worst, status),
                });
            }
        }
    }
    worst.map_or(Ok(told), Err)
}

/// Of two refusals the one that the agent is told, with the longer wait.
fn worse(first: Status, second: Status) -> Status {
    let retry_after =
        [&first, &second].iter().filter(|status| status.is_retryable()).filter_map(|s| s.retry_after).max();
    let told = if second.is_retryable() && !first.is_retryable() { second } else { first };
    if told.is_retryable() { Status { retry_after, ..told } } else { told }
}

/// Drives all futures at the same time, to their ends.
pub async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|task| {
        let mut pending = false;
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(task) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => pending = true,
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().map(|(_, output)| output.expect("each was polled to its end")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::grpc::Code;

    fn status(code: Code) -> Status {
        Status::new(code, Status::DESTINATION, code.name())
    }

    fn partial(rejected: i64, text: &str) -> Outcome {
        Outcome { partial: Some(PartialSuccess { rejected, error_message: text.into() }) }
    }

    #[test]
    fn all_must_have_taken_it() {
        assert_eq!(together([("a", Ok(Outcome::default())), ("b", Ok(Outcome::default()))]), Ok(Outcome::default()));
        let refused = together([("a", Ok(Outcome::default())), ("b", Err(status(Code::NotFound)))]).unwrap_err();
        assert_eq!((refused.code, &*refused.message), (Code::NotFound, "b: not_found"));
    }

    #[test]
    fn what_is_to_be_tried_again_goes_first_with_the_longest_wait() {
        let late = |code, seconds| status(code).retry_after(Duration::from_secs(seconds));
        let told = |outcomes: [Status; 3]| {
            let told = together(outcomes.map(|status| ("x", Err(status)))).unwrap_err();
            (told.code, told.retry_after)
        };
        let (bad, down) = (status(Code::InvalidArgument), status(Code::Unavailable));
        assert_eq!(told([bad.clone(), down.clone(), bad.clone()]), (Code::Unavailable, None));
        assert_eq!(
            told([down, late(Code::ResourceExhausted, 9), late(Code::Unavailable, 3)]),
            (Code::Unavailable, Some(Duration::from_secs(9)))
        );
        // Without a time to come back, RESOURCE_EXHAUSTED is for ever.
        assert_eq!(told([status(Code::ResourceExhausted), bad.clone(), bad]), (Code::ResourceExhausted, None));
    }

    #[test]
    fn of_partial_successes_the_one_that_rejects_most_is_passed_on() {
        let told =
            together([("a", Ok(partial(2, "two"))), ("b", Ok(partial(3, "three"))), ("c", Ok(Outcome::default()))]);
        assert_eq!(told, Ok(partial(3, "b: three")));
        // A warning: nothing is rejected, and there is a text.
        assert_eq!(together([("a", Ok(Outcome::default())), ("b", Ok(partial(0, "mind")))]), Ok(partial(0, "b: mind")));
    }

    #[test]
    fn a_response_keeps_its_partial_success_and_nothing_else() {
        let mut response = ExportResponse { partial_success: partial(1, "one").partial }.encode_to_vec();
        response.extend(b"\x7a\x0410.0");
        assert_eq!(Outcome::of(response.into()), partial(1, "one"));
        assert_eq!(Outcome::of(Bytes::from_static(b"\xff")), Outcome::default());
        assert!(Outcome::default().into_bytes().is_empty());
    }

    #[tokio::test]
    async fn all_run_at_the_same_time_and_keep_their_order() {
        let (first, second) = tokio::sync::oneshot::channel();
        let mut first = Some(first);
        let mut second = Some(second);
        let ends = [0, 1].map(|index| {
            let (first, second) = (first.take_if(|_| index == 1), second.take_if(|_| index == 0));
            async move {
                match (first, second) {
                    (Some(first), _) => first.send("told by the second").map(|()| "the second").unwrap_or(""),
                    (_, Some(second)) => second.await.unwrap_or(""),
                    _ => "",
                }
            }
        });
        assert_eq!(all(ends).await, ["told by the second", "the second"]);
    }
}
