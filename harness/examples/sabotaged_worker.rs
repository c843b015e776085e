//! A worker whose `int8` is broken on purpose, for tests of the gate: `WEIGHBRIDGE_SABOTAGE` says how.
//!
//! `wider` stores bytes that decode does not need, `rounding` cuts codes towards zero, `allocation` holds a MiB during encode, `decode`
//! negates what it decodes, `panic` panics in decode, `hang` never ends, `memory` fills memory, `hidden` keeps the scales out of the artifact.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test program may end in a panic")]

use std::process::ExitCode;
use std::sync::Mutex;

use weighbridge::error::{DecodeError, Refusal};
use weighbridge::kernel::{Context, Entry, Info, Kernel, Part, Parts, Promise};
use weighbridge::kernels::int8::Int8;
use weighbridge::registry::Registry;
use weighbridge::spec::Parameter;
use weighbridge::weights::{TensorInfo, Weights};
use weighbridge_harness::{cli, worker::heap::Counting};

#[global_allocator]
static HEAP: Counting = Counting;

static ENTRIES: &[Entry] = &[Entry::of::<Sabotaged>()];
static HIDDEN: Mutex<Vec<Part>> = Mutex::new(Vec::new());

struct Sabotaged(Int8);

fn sabotage() -> String {
    std::env::var("WEIGHBRIDGE_SABOTAGE").unwrap_or_default()
}

impl Kernel for Sabotaged {
    const INFO: Info = Int8::INFO;
    const PARAMETERS: &'static [Parameter] = Int8::PARAMETERS;
    type Config = <Int8 as Kernel>::Config;

    fn new(config: Self::Config) -> Result<Self, String> {
        Int8::new(config).map(Self)
    }

    fn config(&self) -> &Self::Config {
        Kernel::config(&self.0)
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        let mut parts = Kernel::encode(&self.0, weights, context)?;
        match sabotage().as_str() {
            "wider" => parts = parts.with("padding", vec![0; 4096]),
            "rounding" => cut_towards_zero(weights, &mut parts),
            "allocation" => drop(std::hint::black_box(vec![1u8; 1 << 22])),
            "hang" => std::thread::sleep(std::time::Duration::from_secs(600)),
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1u8; 1 << 24]));
                }
            }
            "hidden" => {
                let at = parts.0.iter().position(|p| p.name == "scales").unwrap();
                HIDDEN.lock().unwrap().push(parts.0.remove(at));
            }
            _ => {}
        }
        Ok(parts)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        let mode = sabotage();
        assert_ne!(mode, "panic", "sabotaged");
        if mode == "hidden" {
            let mut whole = parts.clone();
            whole.0.extend(HIDDEN.lock().unwrap().pop());
            return Kernel::decode(&self.0, &whole, info, context);
        }
        let weights = Kernel::decode(&self.0, parts, info, context)?;
        if mode != "decode" {
            return Ok(weights);
        }
        Ok(Weights::from_f32(info, weights.to_f32().iter().map(|x| -x).collect())?)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Kernel::promise(&self.0, weights)
    }
}

fn cut_towards_zero(weights: &Weights, parts: &mut Parts) {
    let scales: Vec<f32> = parts.get("scales").unwrap().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let cols = weights.info().rows_cols().1;
    let codes = parts.0.iter_mut().find(|p| p.name == "codes").unwrap();
    for (i, (code, w)) in codes.bytes.iter_mut().zip(weights.to_f32().iter()).enumerate() {
        *code = ((w / scales[i / cols]) as i8).cast_unsigned();
    }
}

fn main() -> ExitCode {
    cli::main(Registry::over(ENTRIES))
}
