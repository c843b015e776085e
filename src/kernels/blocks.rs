//! Block formats: a tensor is flattened row-major and cut into blocks of `N` weights, each of which becomes `B` bytes on its own.
//!
//! The last block is padded with zeros. ggml cuts rows instead and only takes rows that are a multiple of the block, where both are the same
//! bytes. Blocks are independent, so large tensors are worked on in parallel, with the same bytes on any number of threads.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::raw::NoConfig;
use super::scale::{Rounding, into_dtype};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

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

/// A format of independent blocks with nothing to configure: `N` weights in `B` bytes. [`Blocks`] makes it a kernel.
pub trait BlockFormat<const N: usize, const B: usize>: Send + Sync + 'static {
    /// Identity.
    const INFO: Info;
    /// What [`Rounding::check`] takes.
    const LARGEST_CODE: f64;

    /// Packs a block of finite weights.
    fn pack(values: &[f32; N], bytes: &mut [u8; B]) -> Rounding;

    /// Unpacks a block; false where its scales make no sense.
    fn unpack(bytes: &[u8; B], values: &mut [f32; N]) -> bool;

    /// The most that each weight may be off after a round trip, from the weights alone.
    fn bounds(values: &[f32; N]) -> [f32; N];
}

/// The kernel of a [`BlockFormat`]: one part, `blocks`, over the flattened tensor.
pub struct Blocks<F, const N: usize, const B: usize> {
    config: NoConfig,
    format: PhantomData<F>,
}

impl<F: BlockFormat<N, B>, const N: usize, const B: usize> Kernel for Blocks<F, N, B> {
    const INFO: Info = F::INFO;
    const PARAMETERS: &'static [Parameter] = &[];
    const ROWS_APART: bool = true;
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self { config, format: PhantomData })
    }

    fn config(&self) -> &NoConfig {
        &self.config
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let (blocks, rounding) = pack(&weights.to_f32(), F::pack);
        rounding.check(F::LARGEST_CODE)?;
        Ok(Parts::new().with("blocks", blocks))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let count = info.elements();
        let blocks = parts.exact("blocks", packed_bytes::<N, B>(count))?;
        let values = unpack(blocks, count, F::unpack);
        into_dtype(info, values.ok_or_else(|| DecodeError::corrupt("blocks", "a scale is out of range"))?)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let mut bounds = Vec::with_capacity(values.len() + N);
        for chunk in values.chunks(N) {
            let mut block = [0.0; N];
            block[..chunk.len()].copy_from_slice(chunk);
            bounds.extend(F::bounds(&block));
        }
        bounds.truncate(values.len());
        Promise::Elementwise(bounds)
    }
}
