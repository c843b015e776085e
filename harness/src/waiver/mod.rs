//! Waivers: reasoned permissions to be worse, for one metric of one case, up to a value and until a day.
//!
//! They stand in `baselines/waivers.toml` and are read where the policy is: at the merge-base. One that a change adds itself is shown, and counts only
//! where the old policy says so (`[waivers] own = "counted"`); otherwise whoever makes something worse could also permit it.

mod apply;
mod day;
mod file;

pub use apply::{Applied, Standing, apply, today};
pub use day::Day;
pub use file::{Waiver, WaiverError, Waivers};
