//! Two releases of a program with one kernel, for tests of migration: `WEIGHBRIDGE_RELEASE` says which, `1` or `2`.
//!
//! Both have `grouped`, which is `int4` under another name. In release 1 it has version 1 and calls its parameter `block`; in release 2 it has
//! version 2 and calls it `group`.

#![expect(clippy::unwrap_used, reason = "a test program may end in a panic")]

use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use weighbridge::error::{DecodeError, Refusal};
use weighbridge::kernel::{Context, Entry, Info, Kernel, Parts, Promise};
use weighbridge::kernels::int4::{self, Int4};
use weighbridge::registry::Registry;
use weighbridge::spec::Parameter;
use weighbridge::weights::{TensorInfo, Weights};
use weighbridge_harness::{cli, worker::heap::Counting};

#[global_allocator]
static HEAP: Counting = Counting;

static FIRST: &[Entry] = &[Entry::of::<First>()];
static SECOND: &[Entry] = &[Entry::of::<Second>()];

const fn info(version: u32) -> Info {
    Info { id: "grouped", version, summary: "int4 under another name", source: "a test", lossless: false }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Blocks {
    block: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { block: 128 }
    }
}

struct First(Blocks, Int4);

impl Kernel for First {
    const INFO: Info = info(1);
    const PARAMETERS: &'static [Parameter] = &[Parameter { name: "block", doc: "weights that share a scale", values: "32, 64 or 128" }];
    type Config = Blocks;

    fn new(config: Blocks) -> Result<Self, String> {
        Ok(Self(Blocks { block: config.block }, Int4::new(int4::Config { group: config.block })?))
    }

    fn config(&self) -> &Blocks {
        &self.0
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        Kernel::encode(&self.1, weights, context)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        Kernel::decode(&self.1, parts, info, context)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Kernel::promise(&self.1, weights)
    }
}

struct Second(Int4);

impl Kernel for Second {
    const INFO: Info = info(2);
    const PARAMETERS: &'static [Parameter] = Int4::PARAMETERS;
    type Config = int4::Config;

    fn new(config: int4::Config) -> Result<Self, String> {
        Int4::new(config).map(Self)
    }

    fn config(&self) -> &int4::Config {
        Kernel::config(&self.0)
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        Kernel::encode(&self.0, weights, context)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        Kernel::decode(&self.0, parts, info, context)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Kernel::promise(&self.0, weights)
    }

    fn migrate(_: u32, mut config: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
        let Some(block) = config.remove("block") else { return (config, None) };
        config.insert("group".to_owned(), block);
        (config, Some("'block' is called 'group' now".to_owned()))
    }
}

fn main() -> ExitCode {
    let release = std::env::var("WEIGHBRIDGE_RELEASE").unwrap();
    cli::main(Registry::over(if release == "1" { FIRST } else { SECOND }))
}
