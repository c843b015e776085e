//! Builds that are compared: what each side is, how it is made, and its layout variants.
//!
//! A side is a commit, the work tree, or a ready program. The first two are built by cargo with the same toolchain,
//! profile and flags, in target folders of their own, and each with its own lock file, and linked several times with their functions in another order, because where code lies
//! in memory moves its time by more than one would gate on. A ready program can only be copied: then layout is confounded with the change.

mod cargo;
mod error;
mod key;
mod make;
mod seed;

pub use error::BuildError;
pub use make::{Build, Layout, Maker, Origin, Variant};
