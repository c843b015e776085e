//! Block formats: a tensor is flattened row-major and cut into blocks of `N` weights, each of which becomes `B` bytes on its own.
//!
//! The last block is padded with zeros. ggml cuts rows instead and only takes rows that are a multiple of the block, where both are the same
//! bytes. Blocks are independent, so large tensors are worked on in parallel, with the same bytes on any number of threads.

use rayon::prelude::*;

use super::scale::Rounding;

/// Weights that one parallel task takes; tensors up to this size stay on the calling thread, where they cost less than waking another.
pub const TASK: usize = 1 << 16;

/// Bytes that `count` weights take.
pub const fn packed_bytes<const N: usize, const B: usize>(count: usize) -> usize {
    count.div_ceil(N) * B
}

/// Packs all blocks; also gives what the rounding of their scales amounts to.
pub fn pack<const N: usize, const B: usize>(
    values: &[f32],
    block: impl Fn(&[f32; N], &mut [u8; B]) -> Rounding + Sync,
) -> (Vec<u8>, Rounding) {
    const { assert!(TASK.is_multiple_of(N)) }
    let mut bytes = vec![0; packed_bytes::<N, B>(values.len())];
    let span = |(values, bytes): (&[f32], &mut [u8])| {
        let (whole, rest) = values.as_chunks::<N>();
        let (packed, _) = bytes.as_chunks_mut::<B>();
        let mut rounding = Rounding::default();
        for (values, bytes) in whole.iter().zip(&mut *packed) {
            rounding = rounding.merge(block(values, bytes));
        }
        if let (false, Some(bytes)) = (rest.is_empty(), packed.last_mut()) {
            let mut padded = [0.0; N];
            padded[..rest.len()].copy_from_slice(rest);
            rounding = rounding.merge(block(&padded, bytes));
        }
        rounding
    };
    let rounding = if values.len() <= TASK {
        span((values, &mut bytes))
    } else {
        let tasks = values.par_chunks(TASK).zip(bytes.par_chunks_mut(TASK / N * B));
        tasks.map(span).reduce(Rounding::default, Rounding::merge)
    };
    (bytes, rounding)
}

/// Unpacks `count` weights from [`packed_bytes`] of them; `None` where `block` says that some block makes no sense.
pub fn unpack<const N: usize, const B: usize>(
    bytes: &[u8],
    count: usize,
    block: impl Fn(&[u8; B], &mut [f32; N]) -> bool + Sync,
) -> Option<Vec<f32>> {
    const { assert!(TASK.is_multiple_of(N)) }
    let mut values = vec![0.0; count];
    let span = |(bytes, values): (&[u8], &mut [f32])| {
        let (packed, _) = bytes.as_chunks::<B>();
        let (whole, rest) = values.as_chunks_mut::<N>();
        let mut valid = true;
        for (bytes, values) in packed.iter().zip(whole) {
            valid &= block(bytes, values);
        }
        if let (false, Some(bytes)) = (rest.is_empty(), packed.last()) {
            let mut padded = [0.0; N];
            valid &= block(bytes, &mut padded);
            rest.copy_from_slice(&padded[..rest.len()]);
        }
        valid
    };
    let valid = if count <= TASK {
        span((bytes, &mut values))
    } else {
        let tasks = bytes.par_chunks(TASK / N * B).zip(values.par_chunks_mut(TASK));
        tasks.map(span).reduce(|| true, |a, b| a && b)
    };
    valid.then_some(values)
}
