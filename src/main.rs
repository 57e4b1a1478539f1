//! The `privet` command: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

/// Requests of hundreds of kilobytes come and go: the system's allocator gives such memory back and asks for it again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    privet::cli::main()
}
