//! Compiles the control API without `protoc`, and keeps its descriptors for reflection.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;

const PROTO: &str = "proto/privet/control/v1/control.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("control.bin"), descriptors.encode_to_vec())?;
    // The client is for tests and for tools that link the library; it brings no transport of its own.
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
