//! Golden artifacts: files that past releases wrote, which every release decodes to the same bits.
//!
//! Each artifact format has a folder, `fixtures/legacy/vN`, with a small model, one artifact of it for each kernel and each of its packed
//! layouts, and a manifest of digests. Files are added and never replaced: an encoder may change, decoding may not.

mod add;
mod check;
mod error;
mod manifest;
mod model;
mod pack;

pub use add::{Added, add, add_missing};
pub use check::{check, encoded_today};
pub use error::GoldenError;
pub use manifest::{Entry, MANIFEST, Manifest, folder};
pub use model::{MODEL, calibration, tensors};
