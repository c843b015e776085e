//! `weighbridge`: parse, run, exit code.

use std::process::ExitCode;

use weighbridge::registry::Registry;
use weighbridge_harness::{cli, worker::heap::Counting};

#[global_allocator]
static HEAP: Counting = Counting;

fn main() -> ExitCode {
    cli::main(Registry::default())
}
