//! What a change is held to: baseline, policy and waivers, where they are read from, and how the change under judgement edits them.
//!
//! A change must not loosen its own bar. So they are read from the commit at which its branch began, and what the work tree has instead is listed.

mod edits;
mod policy_edits;
mod read;
mod source;

pub use edits::{Edit, Edits, edits};
pub use read::Standard;
pub use source::{BaselineSource, SourceError};
