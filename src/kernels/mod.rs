//! The built-in kernels: one file each, one line each in [`ENTRIES`].

use crate::kernel::Entry;

pub mod raw;

/// All built-in kernels, in the order in which lists print them.
pub const ENTRIES: &[Entry] = &[Entry::of::<raw::F32Raw>(), Entry::of::<raw::Bf16Cast>()];
