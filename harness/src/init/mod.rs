//! `weighbridge init`: the files with which another repository weighs its own models.
//!
//! What this project uses itself is what others get: the policy, the pull-request template, the workflows and the line of `.gitattributes` are
//! embedded from where they are used. [`adapt`] changes the few lines of them that only hold here. What has no counterpart here lies in
//! `templates/`. Nothing that is there is ever written over: [`place`] says of each file whether it was written, is the same, or differs.

pub mod adapt;
mod example;
pub mod files;
pub mod place;

pub use adapt::{CopyError, PinnedCopy};
pub use example::{ExampleError, Model};
