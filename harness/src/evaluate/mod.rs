//! Evaluation: what a model's weights do on a real task, on the CPU, in batches, the same bits every time.
//!
//! [`outputs()`] runs a fixture's evaluation data through its network and keeps what comes out; [`score`] compares a candidate's outputs with the
//! original's, so that the original is run once and compared with many. [`layer_inputs`] runs the *calibration* data instead and keeps
//! what second-order kernels need. This is the only module that touches candle.
//!
//! # Which bits are the same
//!
//! On one machine the outputs are bit-identical for any number of threads, and a test holds that. Everything runs inside a pool of one
//! thread, because several evaluations run side by side as processes. candle still cuts matrix products by `RAYON_NUM_THREADS`, but into
//! blocks of rows and columns; the sum over the inner dimension is never cut by threads.
//!
//! It could be cut by the size of the processor's caches: the product's inner blocks are at least 512 long, and where they end the rounding
//! changes. So `network` cuts longer sums itself, always at the same places. Exponentials come from `activations`, sines and cosines from a
//! library written in Rust, not from the platform's. Products with one column, and small ones of transposed matrices, have paths of their own in
//! the library, whose sums hang on the width of the processor's vectors; `network` and `softmax` lay matrices out so that these are not taken. What is left to differ between machines is how the product's inner loop adds (with fused
//! multiply-adds or without), which is why policy gives these metrics a tolerance.

mod activations;
mod batch_norm;
mod bert;
mod cells;
mod cnn;
mod crepe;
mod data;
mod depthwise;
mod efficientnet;
mod error;
mod g2p;
mod gpt;
mod llama;
mod lstm;
mod magika;
mod mlp;
mod network;
mod outputs;
mod patches;
mod ppocr;
mod run;
mod score;
mod silero;
mod softmax;
#[cfg(test)]
mod tests;

pub use error::EvaluateError;
pub use outputs::Outputs;
pub use run::{layer_inputs, outputs};
pub use score::{Score, score};
