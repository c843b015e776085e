//! Row formats: the tensor as a matrix of first dimension × the rest, each row of which becomes codes and scales on its own.
//!
//! Both parts hold row after row at a fixed number of bytes, so rows are worked on in parallel with the same bytes on any number of threads.

use rayon::prelude::*;

use super::blocks::TASK;
use super::scale::{Rounding, into_dtype};
use crate::error::DecodeError;
use crate::kernel::Parts;
use crate::weights::{TensorInfo, Weights};

/// Sizes of one row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Weights.
    pub cols: usize,
    /// Bytes of its codes.
    pub code_bytes: usize,
    /// Bytes of its scales.
    pub scale_bytes: usize,
}

impl Row {
    /// Rows that one parallel task takes.
    fn per_task(self) -> usize {
        (TASK / self.cols).max(1)
    }

    /// Packs a matrix with `row`, which is given a row's weights, codes and scales, into parts `scales` and `codes`.
    pub fn pack(self, values: &[f32], row: impl Fn(&[f32], &mut [u8], &mut [u8]) -> Rounding + Sync) -> (Parts, Rounding) {
        let Self { cols, code_bytes, scale_bytes } = self;
        let rows = values.len().checked_div(cols).unwrap_or(0);
        let (mut codes, mut scales) = (vec![0; rows * code_bytes], vec![0; rows * scale_bytes]);
        let span = |values: &[f32], codes: &mut [u8], scales: &mut [u8]| {
            let rows = values.chunks_exact(cols).zip(codes.chunks_exact_mut(code_bytes)).zip(scales.chunks_exact_mut(scale_bytes));
            rows.fold(Rounding::default(), |rounding, ((values, codes), scales)| rounding.merge(row(values, codes, scales)))
        };
        let rounding = if values.is_empty() {
            Rounding::default()
        } else if values.len() <= TASK {
            span(values, &mut codes, &mut scales)
        } else {
            let rows = self.per_task();
            let (codes, scales) = (codes.par_chunks_mut(rows * code_bytes), scales.par_chunks_mut(rows * scale_bytes));
            let tasks = values.par_chunks(rows * cols).zip(codes).zip(scales);
            tasks.map(|((values, codes), scales)| span(values, codes, scales)).reduce(Rounding::default, Rounding::merge)
        };
        (Parts::new().with("scales", scales).with("codes", codes), rounding)
    }

    /// Unpacks a matrix; `row` is given codes, scales and the weights to fill, and says whether its scales make sense.
    pub fn unpack(
        self,
        parts: &Parts,
        info: &TensorInfo,
        row: impl Fn(&[u8], &[u8], &mut [f32]) -> bool + Sync,
    ) -> Result<Weights, DecodeError> {
        let Self { cols, code_bytes, scale_bytes } = self;
        let rows = info.rows_cols().0;
        let scales = parts.exact("scales", rows.saturating_mul(scale_bytes))?;
        let codes = parts.exact("codes", rows.saturating_mul(code_bytes))?;
        let mut values = vec![0.0; info.elements()];
        let span = |codes: &[u8], scales: &[u8], values: &mut [f32]| {
            let mut rows = codes.chunks_exact(code_bytes).zip(scales.chunks_exact(scale_bytes)).zip(values.chunks_exact_mut(cols));
            rows.all(|((codes, scales), values)| row(codes, scales, values))
        };
        let valid = if values.is_empty() {
            true
        } else if values.len() <= TASK {
            span(codes, scales, &mut values)
        } else {
            let rows = self.per_task();
            let (codes, scales) = (codes.par_chunks(rows * code_bytes), scales.par_chunks(rows * scale_bytes));
            let tasks = codes.zip(scales).zip(values.par_chunks_mut(rows * cols));
            tasks.map(|((codes, scales), values)| span(codes, scales, values)).reduce(|| true, |a, b| a && b)
        };
        if !valid {
            return Err(DecodeError::corrupt("scales", "a scale is not finite"));
        }
        into_dtype(info, values)
    }
}
