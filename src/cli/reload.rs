//! `privet reload`: has a running sidecar load its files again, and says whether it took them.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::Code;
use tonic::transport::Endpoint;

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
    runtime.block_on(reload(args.admin)).map_err(|(exit, message)| Failure::new(exit, message))?;
    println!("reloaded");
    Ok(())
}

async fn reload(admin: SocketAddr) -> Result<(), (Exit, String)> {
    let endpoint = Endpoint::from_shared(format!("http://{admin}")).expect("an address makes a URL").timeout(PATIENCE);
    let channel = endpoint.connect().await.map_err(|_| (Exit::Unavailable, format!("{admin}: nobody listens")))?;
    match ControlClient::new(channel).reload(ReloadRequest {}).await {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::FailedPrecondition => {
            Err((Exit::No, format!("refused, the last good state stays: {}", status.message())))
        }
        Err(status) => Err((Exit::Unavailable, format!("{admin}: {}", status.message()))),
    }
}
