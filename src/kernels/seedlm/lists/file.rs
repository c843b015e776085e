//! Lists in a file, little-endian:
//!
//! | bytes | hold |
//! |---|---|
//! | 16 | `WEIGHBRIDGE`, carriage return, line feed, 26, line feed, 0: shows when the file went through a conversion of text |
//! | 4 | [format](FORMAT) |
//! | 6 × 4 | what the lists are for: C, P, bits of the register, cells, seeds of a list, seeds of a group |
//! | 8 | XXH3-64 of the rest |
//! | rest | offsets, u16, then distances, u16, as in memory |
//!
//! A file that is not exactly this is an error that says what is wrong, and never lists. Cells and rows are not stored: they are made in
//! less time than they take to read.

use std::io::{Read, Write};

use bytemuck::{cast_slice, cast_slice_mut};
use xxhash_rust::xxh3::Xxh3;

use super::super::lfsr::{PERIOD, REGISTER_BITS};
use super::cells::{CELLS, Cells};
use super::{C, CellLists, GROUP, LENGTH, NEAR, P, rows};

/// Version of the file. It changes with anything that [`CellLists::build`] puts into lists.
pub const FORMAT: u32 = 1;

const MAGIC: [u8; 16] = *b"WEIGHBRIDGE\r\n\x1a\n\0";
#[expect(clippy::cast_possible_truncation, reason = "all below 20,000")]
const SHAPE: [u32; 6] = [C as u32, P as u32, REGISTER_BITS, CELLS as u32, LENGTH as u32, GROUP as u32];

/// A file that gives no lists.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// It ends early, or does not end where it should.
    #[error("cell lists are cut short or go on too long; build them again")]
    Length,
    /// Its first bytes are others.
    #[error("not a file of cell lists; build them again")]
    Magic,
    /// It was written by another release.
    #[error("cell lists of format {found}, where this release reads format {FORMAT}; build them again")]
    Format {
        /// Its format.
        found: u32,
    },
    /// It is for other blocks, cells or lists.
    #[error("cell lists for the shape {found:?}, where {SHAPE:?} is needed; build them again")]
    Shape {
        /// Its shape.
        found: [u32; 6],
    },
    /// Its bytes are not those that were written.
    #[error("cell lists are damaged: their checksum is {found:016x} and should be {expected:016x}; build them again")]
    Checksum {
        /// As stored.
        expected: u64,
        /// As computed.
        found: u64,
    },
}

impl CellLists {
    /// Writes the lists.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let (offsets, near): (&[u8], &[u8]) = (cast_slice(&self.offsets), cast_slice(&self.near));
        out.write_all(&MAGIC)?;
        out.write_all(&FORMAT.to_le_bytes())?;
        out.write_all(&SHAPE.map(u32::to_le_bytes).concat())?;
        out.write_all(&checksum(&self.offsets, &self.near).to_le_bytes())?;
        out.write_all(offsets)?;
        out.write_all(near)
    }

    /// Reads lists that [`write`](Self::write) wrote.
    pub fn read(mut input: impl Read) -> Result<Self, ListsError> {
        if take::<16>(&mut input)? != MAGIC {
            return Err(ListsError::Magic);
        }
        let format = u32::from_le_bytes(take(&mut input)?);
        if format != FORMAT {
            return Err(ListsError::Format { found: format });
        }
        let mut shape = [0; 6];
        for number in &mut shape {
            *number = u32::from_le_bytes(take(&mut input)?);
        }
        if shape != SHAPE {
            return Err(ListsError::Shape { found: shape });
        }
        let expected = u64::from_le_bytes(take(&mut input)?);
        let (mut offsets, mut near) = (vec![0u16; CELLS * LENGTH], vec![0u16; CELLS * NEAR]);
        input.read_exact(cast_slice_mut(&mut offsets)).map_err(short)?;
        input.read_exact(cast_slice_mut(&mut near)).map_err(short)?;
        if input.read(&mut [0])? != 0 {
            return Err(ListsError::Length);
        }
        let found = checksum(&offsets, &near);
        // A right checksum over an offset that is none is no accident, and would be a panic later.
        if found != expected || offsets.iter().any(|&offset| usize::from(offset) >= PERIOD) {
            return Err(ListsError::Checksum { expected, found });
        }
        Ok(Self { cells: Cells::all(), offsets, near, rows: rows::rows() })
    }
}

fn checksum(offsets: &[u16], near: &[u16]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(cast_slice(offsets));
    hash.update(cast_slice(near));
    hash.digest()
}

fn take<const N: usize>(input: &mut impl Read) -> Result<[u8; N], ListsError> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(short)?;
    Ok(bytes)
}

/// An end that comes too early is a matter of the file, not of the system.
fn short(error: std::io::Error) -> ListsError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof { ListsError::Length } else { error.into() }
}
