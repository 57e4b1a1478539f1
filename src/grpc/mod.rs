//! gRPC as bytes over HTTP/2: messages, statuses, deadlines, compression. Knows neither OTLP nor sockets.
//!
//! Both sides of the sidecar stand on it, straight on `h2`: a message is one buffer from the wire to the filter and one
//! from there to the wire.

mod compress;
mod message;
mod status;
mod timeout;

pub use compress::{Decoded, Encoding, decompress, gzip};
pub use message::{Gathered, Message, gather};
pub use status::{Code, Status};
pub use timeout::{format_timeout, parse_timeout};
