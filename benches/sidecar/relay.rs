//! A bare relay: HTTP/2 frames from one connection to another, nothing looked at.

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, Response, Version};
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, process, tuned_client, tuned_server};

pub async fn run(sink: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    process::announce(listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let upstream = TcpStream::connect(sink).await?;
        tokio::spawn(async move {
            if let Err(failure) = relay(socket, upstream).await {
                eprintln!("relay: {failure}");
            }
        });
    }
}

async fn relay(socket: TcpStream, upstream: TcpStream) -> Result<(), Failure> {
    socket.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (sender, connection) = tuned_client().handshake::<_, Bytes>(upstream).await?;
    tokio::spawn(connection);
    let mut agent = tuned_server().handshake::<_, Bytes>(socket).await?;
    while let Some(accepted) = agent.accept().await {
        let (request, respond) = accepted?;
        let sender = sender.clone();
        tokio::spawn(async move {
            if let Err(failure) = forward(request, respond, sender).await {
                eprintln!("relay: {failure}");
            }
        });
    }
    Ok(())
}

async fn forward(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    sender: SendRequest<Bytes>,
) -> Result<(), Failure> {
    let (mut head, body) = request.into_parts();
    head.version = Version::HTTP_2;
    let (response, to_sink) = sender.ready().await?.send_request(Request::from_parts(head, ()), false)?;
    pass_on(body, to_sink).await?;
    let (head, body) = response.await?.into_parts();
    let to_agent = respond.send_response(Response::from_parts(head, ()), false)?;
    pass_on(body, to_agent).await
}

async fn pass_on(mut from: RecvStream, mut to: SendStream<Bytes>) -> Result<(), Failure> {
    while let Some(frame) = from.data().await {
        let frame = frame?;
        from.flow_control().release_capacity(frame.len())?;
        to.send_data(frame, false)?;
    }
    match from.trailers().await? {
        Some(trailers) => to.send_trailers(trailers)?,
        None => to.send_data(Bytes::new(), true)?,
    }
    Ok(())
}
