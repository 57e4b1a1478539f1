//! A gRPC message: five bytes of head, then the body. Gathered out of DATA frames into one buffer, sent as one frame.

use std::future::poll_fn;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;

use super::{Code, Status};

const HEAD: usize = 5;

/// What is reserved at first for a message that comes in pieces; its head alone must not reserve its whole length.
const FIRST_RESERVE: usize = 256 * 1024;

/// A message on its way out: head and body in one frame, without copying the body.
#[derive(Debug)]
pub struct Message {
    head: [u8; HEAD],
    at: u8,
    body: Bytes,
}

impl Message {
    pub fn new(body: Bytes, compressed: bool) -> Message {
        let length = u32::try_from(body.len()).expect("limits keep messages below 4 GiB");
        let [a, b, c, d] = length.to_be_bytes();
        Message { head: [u8::from(compressed), a, b, c, d], at: 0, body }
    }

    fn rest_of_head(&self) -> &[u8] {
        &self.head[usize::from(self.at)..]
    }
}

impl Buf for Message {
    fn remaining(&self) -> usize {
        self.rest_of_head().len() + self.body.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.rest_of_head().is_empty() { &self.body } else { self.rest_of_head() }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for chunk in [self.rest_of_head(), &self.body] {
            if !chunk.is_empty() && filled < slices.len() {
                slices[filled] = IoSlice::new(chunk);
                filled += 1;
            }
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        let head = count.min(self.rest_of_head().len());
        self.at += head as u8;
        self.body.advance(count - head);
    }
}

/// A message as it came in.
#[derive(Debug)]
pub struct Gathered {
    pub compressed: bool,
    pub body: Bytes,
}

/// Gathers the one message of a unary call: the very same bytes if it came in one frame.
///
/// `Ok(None)`: the stream ended without a message. `grow` is asked before memory for that many more bytes is held.
pub async fn gather(
    stream: &mut RecvStream,
    limit: usize,
    mut grow: impl FnMut(usize) -> Result<(), Status>,
) -> Result<Option<Gathered>, Status> {
    let Some(first) = next(stream).await? else { return Ok(None) };
    grow(first.len())?;
    if let Some(length) = declared(&first, limit)?
        && first.len() == HEAD + length
    {
        return if next(stream).await?.is_none() { Ok(Some(split(first))) } else { Err(more_than_one()) };
    }
    let mut buffer = BytesMut::new();
    let mut chunk = Some(first);
    let mut declared_length = None;
    while let Some(bytes) = chunk {
        if declared_length.is_none() && buffer.is_empty() {
            declared_length = declared(&bytes, limit)?;
        }
        let whole = HEAD + declared_length.unwrap_or(0);
        if buffer.len() + bytes.len() > whole && declared_length.is_some() {
            return Err(more_than_one());
        }
        if buffer.capacity() - buffer.len() < bytes.len() {
            // Doubling, but never past what the head declares.
            let wanted = (buffer.len() * 2).max(FIRST_RESERVE).min(whole).max(buffer.len() + bytes.len());
            buffer.reserve(wanted - buffer.len());
        }
        buffer.put_slice(&bytes);
        if declared_length.is_none() {
            declared_length = declared(&buffer, limit)?;
        }
        chunk = next(stream).await?;
        grow(chunk.as_ref().map_or(0, Bytes::len))?;
    }
    match declared_length {
        Some(length) if buffer.len() == HEAD + length => Ok(Some(split(buffer.freeze()))),
        _ => Err(Status::new(Code::InvalidArgument, "bad_frame", "the stream ended within a message")),
    }
}

fn more_than_one() -> Status {
    Status::new(Code::InvalidArgument, "bad_frame", "more than one message in a unary call")
}

/// The next DATA frame that is not empty; its flow-control credit goes back at once.
async fn next(stream: &mut RecvStream) -> Result<Option<Bytes>, Status> {
    loop {
        match poll_fn(|context| stream.poll_data(context)).await {
            None => return Ok(None),
            Some(Ok(bytes)) if bytes.is_empty() => {}
            Some(Ok(bytes)) => {
                // Fails only where more is given back than was taken.
                let _ = stream.flow_control().release_capacity(bytes.len());
                return Ok(Some(bytes));
            }
            Some(Err(_)) => return Err(Status::new(Code::Cancelled, "broken_stream", "the stream broke off")),
        }
    }
}

/// The length that a head declares, once the head is there.
fn declared(bytes: &[u8], limit: usize) -> Result<Option<usize>, Status> {
    let [flag, a, b, c, d, ..] = *bytes else { return Ok(None) };
    if flag > 1 {
        return Err(Status::new(Code::InvalidArgument, "bad_frame", "the message's head is wrong"));
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > limit {
        let text = format!("the message is larger than {limit} bytes");
        return Err(Status::new(Code::ResourceExhausted, "message_too_large", text));
    }
    Ok(Some(length))
}

fn split(mut message: Bytes) -> Gathered {
    let compressed = message[0] == 1;
    message.advance(HEAD);
    Gathered { compressed, body: message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_the_same_whole_and_in_slices() {
        let mut whole = Message::new(Bytes::from_static(b"abc"), true);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(whole.chunks_vectored(&mut slices), 2);
        assert_eq!([&*slices[0], &*slices[1]].concat(), b"\x01\0\0\0\x03abc");
        assert_eq!(whole.copy_to_bytes(3), &b"\x01\0\0"[..]);
        assert_eq!((whole.remaining(), whole.copy_to_bytes(5)), (5, Bytes::from_static(b"\0\x03abc")));
        assert_eq!(whole.chunks_vectored(&mut [IoSlice::new(&[])]), 0);
    }

    #[test]
    fn a_head_with_an_unknown_flag_or_too_long_a_body_is_refused() {
        assert_eq!(declared(b"\0\0\0", 10).unwrap(), None);
        assert_eq!(declared(b"\0\0\0\0\x0a", 10).unwrap(), Some(10));
        assert_eq!(declared(b"\0\0\0\0\x0b", 10).unwrap_err().code, Code::ResourceExhausted);
        assert_eq!(declared(b"\x02\0\0\0\0", 10).unwrap_err().code, Code::InvalidArgument);
    }
}
