//! The orthonormal bases of all seeds in 16 bits, and how much of a block each of them captures.
//!
//! A list holds seeds in no order of memory, so a seed's row is one cache line: the three columns of Q, times 32,767 and rounded, and eight
//! zeros. With the block's direction in the same units, the three dot products are exact, and the sum of their squares is
//! ‖Qᵀw‖²/‖w‖² but for what rounding of Q and w moved it: ‖ΔQ‖ ≤ √24 / 65,534 and ‖Δw‖ ≤ √8 / 65,534, so by less than 2·1.2·10⁻⁴.

use super::super::basis::{Factors, basis};
use super::super::lfsr::PERIOD;
use super::{C, GROUP, P};

/// What one stands for.
pub const ONE: f64 = 32_767.0;
/// What rounding may add to the share that a seed captures, that of single precision included.
pub const SLACK: f64 = 3e-4;
/// One row for each u16.
pub const ROWS: usize = 1 << 16;

/// A seed's columns of Q, each with its eight rows, and a fourth of zeros.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Row(pub [i16; 32]);

/// A direction in the units of rows.
pub type Unit = [i16; C];
/// What the seeds of a group capture, in units of [`ONE`]⁴.
pub type Captured = [f32; GROUP];

/// The nearest 16-bit number.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "values are within ±1")]
pub fn quantise(x: f64) -> i16 {
    (x * ONE).round_ties_even() as i16
}

/// The rows of all offsets, and zeros for 65535.
pub fn rows() -> Vec<Row> {
    let row = |offset: usize| {
        let q = Factors::of(&basis::<C, P>(offset)).q;
        Row(std::array::from_fn(|i| if i / C < P { quantise(q[i % C][i / C]) } else { 0 }))
    };
    let mut rows: Vec<Row> = (0..PERIOD).map(row).collect();
    rows.resize(ROWS, Row([0; 32]));
    rows
}

/// What the seeds at the offsets capture: portable code, which the vectorised one equals bit for bit.
#[inline(always)]
pub fn capture(rows: &[Row], offsets: &[u16; GROUP], unit: &Unit, captured: &mut Captured) {
    for (captured, &offset) in captured.iter_mut().zip(offsets) {
        let columns = rows[usize::from(offset)].0.as_chunks::<C>().0;
        let mut squares = [0.0f32; 4];
        for (square, column) in squares.iter_mut().zip(columns).take(P) {
            let dot: i32 = column.iter().zip(unit).map(|(&q, &w)| i32::from(q) * i32::from(w)).sum();
            #[expect(clippy::cast_precision_loss, reason = "the slack has room for it")]
            let dot = dot as f32;
            *square = dot * dot;
        }
        *captured = (squares[0] + squares[2]) + (squares[1] + squares[3]);
    }
}
