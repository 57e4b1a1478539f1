//! A call's outcome: code, text, and when to come back.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use prost::Message as _;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Binary metadata is base64, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The status codes of gRPC, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    pub const ALL: [Code; 17] = [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The word for it in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Code::Ok => "ok",
            Code::Cancelled => "cancelled",
            Code::Unknown => "unknown",
            Code::InvalidArgument => "invalid_argument",
            Code::DeadlineExceeded => "deadline_exceeded",
            Code::NotFound => "not_found",
            Code::AlreadyExists => "already_exists",
            Code::PermissionDenied => "permission_denied",
            Code::ResourceExhausted => "resource_exhausted",
            Code::FailedPrecondition => "failed_precondition",
            Code::Aborted => "aborted",
            Code::OutOfRange => "out_of_range",
            Code::Unimplemented => "unimplemented",
            Code::Internal => "internal",
            Code::Unavailable => "unavailable",
            Code::DataLoss => "data_loss",
            Code::Unauthenticated => "unauthenticated",
        }
    }

    /// The code of that number; unknown ones are [`Code::Unknown`], as gRPC says.
    pub fn from_number(number: u32) -> Code {
        Code::ALL.get(number as usize).copied().unwrap_or(Code::Unknown)
    }

    /// What an HTTP status stands for where a peer that speaks no gRPC answered
    /// (gRPC's "HTTP to gRPC Status Code Mapping").
    pub fn from_http(status: StatusCode) -> Code {
        match status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        }
    }
}

/// How a call ended, where it did not end well. The text never carries a value from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub code: Code,
    /// A short fixed word: label of a metric. [`Status::DESTINATION`] where the destination said it.
    pub reason: &'static str,
    pub message: Cow<'static, str>,
    /// When the sender may try again: `google.rpc.RetryInfo`.
    pub retry_after: Option<Duration>,
}

impl Status {
    /// The reason of a status that came about because there is no way to the destination: it was sent nothing.
    pub const UNSENT: &str = "destination_down";

    /// The reason of a status that came from the destination.
    pub const DESTINATION: &str = "destination";

    /// The longest error text that is written, in bytes. One that is read is left whole: an identifier that is cut in two is
    /// not known for one any more.
    pub const LONGEST_MESSAGE: usize = 1024;

    pub fn new(code: Code, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Status {
        Status { code, reason, message: message.into(), retry_after: None }
    }

    pub fn retry_after(self, delay: Duration) -> Status {
        Status { retry_after: Some(delay), ..self }
    }

    /// Whether OTLP has the sender send again what ended so.
    pub fn is_retryable(&self) -> bool {
        match self.code {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => true,
            Code::ResourceExhausted => self.retry_after.is_some(),
            _ => false,
        }
    }

    /// Reads a status out of trailers (or headers, where there is no body); `None` if there is none.
    pub fn from_headers(headers: &HeaderMap) -> Option<Status> {
        let code = headers.get(STATUS)?;
        let code = code.to_str().ok().and_then(|code| code.parse().ok()).map_or(Code::Unknown, Code::from_number);
        if code == Code::Ok {
            return Some(Status::new(Code::Ok, Status::DESTINATION, ""));
        }
        let message = headers.get(MESSAGE).map_or_else(String::new, |value| percent_decode(value.as_bytes()));
        let retry_after = headers.get(DETAILS).and_then(|value| retry_info(value.as_bytes()));
        Some(Status { code, reason: Status::DESTINATION, message: message.into(), retry_after })
    }

    /// Writes the status as trailers.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(STATUS, number(self.code));
        if !self.message.is_empty() {
            headers.insert(MESSAGE, percent_encode(&self.message));
        }
        if let Some(delay) = self.retry_after {
            headers.insert(DETAILS, self.details(delay));
        }
    }

    fn details(&self, delay: Duration) -> HeaderValue {
        let info = RetryInfo { retry_delay: prost_types::Duration::try_from(delay).ok() };
        let rpc = RpcStatus {
            code: self.code as i32,
            message: self.message.to_string(),
            details: vec![prost_types::Any { type_url: RETRY_INFO.to_owned(), value: info.encode_to_vec() }],
        };
        HeaderValue::try_from(BASE64.encode(rpc.encode_to_vec())).expect("base64 is visible ASCII")
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// The delay in a `grpc-status-details-bin`. All other details are left behind: they may quote the request.
fn retry_info(base64: &[u8]) -> Option<Duration> {
    let bytes = BASE64.decode(base64).ok()?;
    let status = RpcStatus::decode(bytes.as_slice()).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url == RETRY_INFO)?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    Duration::try_from(delay).ok()
}

fn number(code: Code) -> HeaderValue {
    if code == Code::Ok { HeaderValue::from_static("0") } else { HeaderValue::from(code as u16) }
}

/// `grpc-message`: UTF-8, percent-encoded outside visible ASCII.
fn percent_encode(message: &str) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let message = &message[..message.floor_char_boundary(Status::LONGEST_MESSAGE)];
    let mut out = Vec::with_capacity(message.len());
    for &byte in message.as_bytes() {
        match byte {
            b'%' | ..0x20 | 0x7f.. => {
                out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    HeaderValue::try_from(out).expect("percent-encoding leaves visible ASCII and spaces")
}

/// Wrong escapes stay as they are, as gRPC asks.
fn percent_decode(value: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = &tail[2..];
            }
            _ => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(status: &Status) -> Status {
        let mut headers = HeaderMap::new();
        status.write(&mut headers);
        Status::from_headers(&headers).unwrap()
    }

    #[test]
    fn a_status_survives_its_trailers() {
        for code in Code::ALL.into_iter().skip(1) {
            let status = Status::new(code, Status::DESTINATION, "100 % of «it»\nfailed")
                .retry_after(Duration::from_millis(1500));
            assert_eq!(round_trip(&status), status);
        }
    }

    #[test]
    fn a_code_nobody_knows_is_unknown_and_wrong_escapes_stay() {
        let mut headers = HeaderMap::new();
        headers.insert(STATUS, HeaderValue::from_static("99"));
        headers.insert(MESSAGE, HeaderValue::from_static("50%, %zz %41"));
        let status = Status::from_headers(&headers).unwrap();
        assert_eq!(status, Status::new(Code::Unknown, Status::DESTINATION, "50%, %zz A"));
    }

    #[test]
    fn details_other_than_the_delay_are_left_behind() {
        let rpc = RpcStatus {
            code: 14,
            message: "10.0.0.1".into(),
            details: vec![prost_types::Any { type_url: "x/google.rpc.DebugInfo".into(), value: b"10.0.0.1".to_vec() }],
        };
        let mut headers = HeaderMap::new();
        headers.insert(STATUS, HeaderValue::from_static("14"));
        headers.insert(DETAILS, HeaderValue::try_from(BASE64.encode(rpc.encode_to_vec())).unwrap());
        assert_eq!(Status::from_headers(&headers).unwrap(), Status::new(Code::Unavailable, Status::DESTINATION, ""));
    }
}
