//! The nouns that are stored and compared: metrics, cases, records of a run, the machine they came from.

pub mod machine;
pub mod metric;
pub mod record;
pub mod sampled;
