//! Time compared: candidate and baseline run interleaved, in blocks of fresh processes, until each case is decided or the time is up.
//!
//! A block is four letters in the order A B B A or B A A B; a letter is a fresh process of a build that warms up and times a batch. Cases of one
//! fixture share a letter's process, each still across as many fresh processes as there are letters. What a block says of a case is one number,
//! the difference of mean log times; what many of them say is for [`crate::stats`]. Before that an A/A arm tells what no change at all looks like.
//! Nothing here judges.

mod block;
mod comparing;
mod control;
mod figures;
pub mod item;
mod judge;
mod letter;
mod prepare;
pub mod record;
mod run;
mod schedule;
mod single;
pub mod store;
mod verify;

pub use figures::{ControlArm, ControlFigures, Figures, Judged, Undecided, median};
pub use judge::{TrialJudge, judged, of_clock};
pub use prepare::LeftOut;
pub use run::{Event, Judge, Options, PairedError, Result as Outcome, run};
pub use schedule::{Order, Side, Stage, shuffled};
pub use single::Single;
