//! VPTQ (arXiv 2409.17066): vector quantisation of weights, after the layer's inputs.
//!
//! The tensor is a matrix of first dimension (output features) × the rest (inputs). A vector is `v` consecutive output features of one
//! input, so it runs down a column; the last row of vectors is padded with zeros. Weights are divided by the tensor's largest magnitude, so
//! that the error does not depend on their scale; codebooks come from weighted k-means, and a second-order pass (see `second_order`) picks
//! the codes.
//!
//! Parts, little-endian; k is the number of centroids after clipping, which the shape determines (`config::Layout`):
//!
//! | part | content |
//! |---|---|
//! | `hessian` | one byte: 0 nothing was known of the inputs (H = I), 1 calibrated, 2 calibrated but the second-order pass was left out |
//! | `scale` | the largest magnitude, f32 |
//! | `codebook`, `residual-codebook`, `outlier-codebook` | k vectors of v values, f16, in units of `scale`; the last two where configured |
//! | `order` | where calibrated and `permute` or outliers ask for it: a column number for each stored column, in as many bits as it takes |
//! | `indices`, `outlier-indices` | for each row of vectors a bit stream, from a whole 32-bit word on: one word a column |
//!
//! Bit streams put the lowest bit first. A word is `residual index << index bits | index`, at most 32 bits. Without `permute` the `order`
//! holds the outlier columns alone; the others follow as they stand in the tensor. Without calibration all inputs are equal: columns keep
//! their order and the first ones are the outliers.
//!
//! The second-order pass pays for a better output with a larger error of the weights. Where that goes beyond what the kernel promises,
//! vectors take their nearest centroids and `hessian` says so.
//!
//! Bits a weight: log₂(k1)/v + log₂(k2)/v, and codebooks of 16·v·(k1 + k2) bits. The published `v8-k65536-256` is
//! `vptq:vector=8,centroids=65536,residual=256`, 3 bits.

mod codec;
mod config;
mod kmeans;
mod nearest;
mod neighbours;
mod packing;
mod quantise;

pub use codec::Vptq;
pub use config::Config;
