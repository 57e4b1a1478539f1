//! `privet reload`: has a running sidecar load its files again, and says whether it took them.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::{Exit, Failure};
use crate::control::v1::ReloadRequest;
use crate::control::v1::control_client::ControlClient;

/// Have a running sidecar load policies, keyring and credentials again
///
/// A sidecar does so by itself when files change; this says whether it took them. Ends with 0 if it did, 1 if something in
/// them is wrong and the last good ones stay, 69 if there is no sidecar.
#[derive(clap::Args)]
pub struct Args {
    /// The admin address of the sidecar
    #[arg(long, value_name = "ADDR", env = "PRIVET_ADMIN", default_value = "127.0.0.1:9464")]
    admin: SocketAddr,
}

/// Policies of thousands of rules take less.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wrong_candidates = runtime.block_on(reload(args.admin))?;
    println!("reloaded");
    for wrong in wrong_candidates {
        eprintln!("warning: a candidate policy is wrong, so that nothing is compared with it, for {wrong}");
    }
    Ok(())
}

async fn reload(admin: SocketAddr) -> Result<Vec<String>, Failure> {
    match ControlClient::new(connect(admin).await?).reload(ReloadRequest {}).await {
        Ok(answer) => Ok(answer.into_inner().shadow_errors),
        Err(status) if status.code() == Code::FailedPrecondition => {
            Err(Failure::new(Exit::No, format!("refused, the last good state stays: {}", status.message())))
        }
        Err(status) => Err(Failure::new(Exit::Unavailable, format!("{admin}: {}", status.message()))),
    }
}

/// A connection to a sidecar's control API.
pub(super) async fn connect(admin: SocketAddr) -> Result<Channel, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{admin}")).expect("an address makes a URL").timeout(PATIENCE);
    endpoint.connect().await.map_err(|_| Failure::new(Exit::Unavailable, format!("{admin}: nobody listens")))
}
