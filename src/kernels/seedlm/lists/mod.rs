//! Cell lists: 4 bits at several times the speed of the [scan](super::scan), and the same bytes.
//!
//! The unit sphere is cut into [cells]; each has the list of the seeds whose subspaces come nearest to its centre, [built](build) once, as
//! they depend on nothing but the shape of blocks. A [search](walk) goes down the list of its block's cell until what is behind is
//! provably worse, which takes some 1,460 of 65,535 seeds. Lists end after 4,608 seeds; one block of two hundred needs more, or lies in no
//! cell, and is finished by the scan.
//!
//! # When they are built and used
//!
//! Only when asked for: a caller puts [`CellLists`] into [`Context::seedlm_lists`](crate::kernel::Context::seedlm_lists), and nothing here looks
//! for a file or builds on its own. Lists cost seconds once and [128 MB](CellLists::size_bytes) of heap in each process, so a default that
//! depended on a file of this machine would make peaks of memory differ between machines, and times between runs, without a word.
//! Artifacts do not depend on lists, so they are no parameter of the kernel and are recorded nowhere. The harness measures without them.
//!
//! [Stored](file) lists are read, not mapped: memory that another process can change under the search would be no safe memory.
//!
//! # Which shapes
//!
//! Only C = 8, P = 3. With C = 12, P = 4, as many cells leave 7,100 seeds a block, 11 % of all; 32,768 cells leave 5,000, in lists of
//! 0.8 GB if they are to serve 99 of 100 blocks, for about twice the speed of the scan at best. In eleven dimensions cells are too wide:
//! their centres are 0.48 and 0.43 from a block, those of 262,144 cells still 0.35. (The test `wider` prints this.) With C = 8, P = 4 lists of
//! 8,192 seeds were three times as fast as the scan, at 216 MB. With P = 8 every subspace is the whole space.

pub mod build;
pub mod cells;
mod file;
pub mod rows;
mod simd;
mod table;
#[cfg(test)]
pub mod tests;
pub mod walk;
#[cfg(test)]
mod wider;

pub use file::{FORMAT, ListsError};
pub use simd::search;
pub use table::{C, CellLists, GROUP, LENGTH, List, NEAR, P, serves};
