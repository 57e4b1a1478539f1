//! Compiles the control API without `protoc`, and keeps its descriptors for reflection. Lists the packs of rules.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;

const PROTO: &str = "proto/privet/control/v1/control.proto";
const RULES: &str = "rules";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("control.bin"), descriptors.encode_to_vec())?;
    // The client is for tests and for tools that link the library; it brings no transport of its own.
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    list_packs(Path::new(&out))
}

/// Writes a slice of every pack's name and text, to be included.
fn list_packs(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={RULES}");
    let mut names = Vec::new();
    for entry in fs::read_dir(RULES)? {
        let file = entry?.file_name().into_string().map_err(|_| "a pack's name is not UTF-8")?;
        names.extend(file.strip_suffix(".yaml").map(str::to_owned));
    }
    names.sort();
    let entry = |name: &String| {
        format!("({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{RULES}/{name}.yaml\"))),\n")
    };
    let list: String = names.iter().map(entry).collect();
    fs::write(out.join("packs.rs"), format!("&[\n{list}]"))?;
    Ok(())
}
