//! The `backchannel` program; see the library for a tour of the code.

use std::process::ExitCode;

// Many small, short-lived allocations on all threads: measurably faster than the system's allocator there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    backchannel::commands::main()
}
