//! The lists in memory.

use super::super::SeedLm;
use super::super::codec;
use super::super::scan::Tables;
use super::super::subspace::Subspace;
use super::cells::{CELLS, Cells};
use super::rows::Row;
use super::search;
use crate::kernel::{AnyKernel, Kernel, Parts};
use crate::simd::Level;

/// Weights of a block.
pub const C: usize = 8;
/// Coefficients of a block.
pub const P: usize = 3;
/// Seeds that are read together.
pub const GROUP: usize = 64;
/// Seeds of a list.
pub const LENGTH: usize = 72 * GROUP;
/// Blocks of a task. As many as cells, so that many neighbours find what they read in the cache; a tensor of two hundred thousand weights
/// is work for three threads.
const TASK: usize = 8192;
/// Distances of a list: one for each group and one for what is behind the last.
pub const NEAR: usize = LENGTH / GROUP + 1;

/// Whether lists make this kernel faster.
pub fn serves(kernel: &dyn AnyKernel) -> bool {
    kernel.info().id == SeedLm::INFO.id && kernel.config().get("bits").is_some_and(|bits| bits.as_f64() == Some(4.0))
}

/// For each cell of the sphere the seeds whose subspaces come nearest to its centre, nearest first, for blocks of 4 bits a weight.
#[derive(Debug)]
pub struct CellLists {
    pub(super) cells: Cells,
    /// Offsets, [`LENGTH`] a cell.
    pub(super) offsets: Vec<u16>,
    /// Lower bounds of squared distances from a cell's centre, [`NEAR`] a cell.
    pub(super) near: Vec<u16>,
    pub(super) rows: Vec<Row>,
}

/// The list of a cell.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// Offsets of its seeds.
    pub groups: &'a [[u16; GROUP]],
    /// Squared distance of each group's seeds from the centre at the least, and that of all seeds behind the last, in 65,536ths.
    pub near: &'a [u16],
}

impl CellLists {
    /// The list of a cell.
    #[inline(always)]
    pub fn list(&self, cell: usize) -> List<'_> {
        let groups = self.offsets[cell * LENGTH..][..LENGTH].as_chunks().0;
        List { groups, near: &self.near[cell * NEAR..][..NEAR] }
    }

    /// Packs values: as without lists, and faster.
    pub fn encode(&self, tables: &Tables<C, P, Subspace>, values: &[f32], level: Level) -> Parts {
        codec::encode_by(values, TASK, |blocks, lowest, best| search(level, self, tables, blocks, lowest, best))
    }

    /// Heap that the lists take, in bytes: 123.6 MB for offsets and distances, 4.2 MB for what comes with them.
    pub fn size_bytes(&self) -> usize {
        2 * (self.offsets.len() + self.near.len()) + size_of_val(self.rows.as_slice()) + size_of::<u32>() * CELLS
    }
}
