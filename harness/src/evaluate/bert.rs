//! BERT style encoder (Devlin et al. 2019) as sentence-transformers use it: post-norm, exact GELU, one segment, the mean over all tokens.
//!
//! Texts are not padded. Everything but attention treats tokens alike, so the tokens of a batch are rows one after the other, and attention
//! takes each text's rows.

use candle_core::{Device, Result, Tensor};
use candle_nn::ops::layer_norm;

use super::activations;
use super::network::Network;
use super::softmax::Softmax;

/// Attention heads; shapes do not tell.
const HEADS: usize = 12;
/// Added to a variance before its root is taken.
const EPSILON: f32 = 1e-12;

/// Texts as token indices → texts × width.
pub(super) fn forward(network: &Network, texts: &[Vec<u32>]) -> Result<Tensor> {
    let tokens = indices(texts.iter().flatten().copied())?;
    let positions = indices(texts.iter().flat_map(|text| (0..).take(text.len())))?;
    let words = network.rows("embeddings.word_embeddings.weight", &tokens)?;
    let places = network.rows("embeddings.position_embeddings.weight", &positions)?;
    let segment = network.tensor("embeddings.token_type_embeddings.weight")?.get(0)?;
    let mut x = norm(network, "embeddings.LayerNorm", &(words + places)?.broadcast_add(&segment)?)?;
    for layer in 0..network.count(|layer| format!("encoder.layer.{layer}.output.dense.weight")) {
        let layer = format!("encoder.layer.{layer}");
        let attended = network.linear(&format!("{layer}.attention.output.dense"), &attend(network, &layer, &x, texts)?)?;
        x = norm(network, &format!("{layer}.attention.output.LayerNorm"), &(attended + x)?)?;
        let inner = activations::gelu_erf(&network.linear(&format!("{layer}.intermediate.dense"), &x)?)?;
        let outer = network.linear(&format!("{layer}.output.dense"), &inner)?;
        x = norm(network, &format!("{layer}.output.LayerNorm"), &(outer + x)?)?;
    }
    let means = runs(texts).map(|(start, length)| x.narrow(0, start, length)?.mean_keepdim(0)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&means, 0)
}

fn indices(values: impl Iterator<Item = u32>) -> Result<Tensor> {
    Tensor::from_iter(values, &Device::Cpu)
}

/// First row and number of rows of each text.
fn runs(texts: &[Vec<u32>]) -> impl Iterator<Item = (usize, usize)> {
    texts.iter().scan(0, |start, text| {
        let run = (*start, text.len());
        *start += text.len();
        Some(run)
    })
}

fn norm(network: &Network, layer: &str, x: &Tensor) -> Result<Tensor> {
    layer_norm(x, network.tensor(&format!("{layer}.weight"))?, network.tensor(&format!("{layer}.bias"))?, EPSILON)
}

/// Self-attention within each text.
fn attend(network: &Network, layer: &str, x: &Tensor, texts: &[Vec<u32>]) -> Result<Tensor> {
    let width = x.dim(1)?;
    let part = |name: &str| network.linear(&format!("{layer}.attention.self.{name}"), x);
    let (q, k, v) = (part("query")?, part("key")?, part("value")?);
    let softmax = Softmax::of_heads(width / HEADS, false);
    let mixed = runs(texts).map(|(start, length)| {
        // Heads × length × head width.
        let heads = |x: &Tensor| x.narrow(0, start, length)?.reshape((length, HEADS, width / HEADS))?.transpose(0, 1)?.contiguous();
        let weights = softmax.of(&heads(&q)?, &heads(&k)?)?;
        weights.matmul(&heads(&v)?)?.transpose(0, 1)?.reshape((length, width))
    });
    Tensor::cat(&mixed.collect::<Result<Vec<_>>>()?, 0)
}
