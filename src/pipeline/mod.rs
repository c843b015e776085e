//! Pipelines: more than one kernel, or more than a kernel, under one name.
//!
//! `chain`: a kernel, then lossless stages over its packed parts, `kernel|stage|stage`. [`mixed`]: a kernel for each tensor, chosen by its
//! name; from a file, or one of the [`presets`] that are shipped. [`definition`] holds the files both are written in.

mod chain;
pub mod definition;
mod entropy;
pub mod mixed;
pub mod presets;
mod stage;
mod zstd;

pub use chain::Pipeline;
pub use mixed::Mixed;
pub use stage::{AnyStage, Stage, StageEntry, StageInfo, parse_stage, stage_entry};

/// All stages there are.
pub const STAGES: &[StageEntry] = &[StageEntry::of::<entropy::Entropy>(), StageEntry::of::<zstd::Zstd>()];
