//! Llama style decoder with the tensor names of GGUF files: pre-norm (RMS), rotary positions, grouped queries, SwiGLU, head tied to the embedding.
//!
//! GGUF files keep the query and key rows of a head in the order in which rotation takes neighbours as pairs.

use candle_core::{Device, Result, Tensor};
use candle_nn::ops::rms_norm;
use candle_nn::rotary_emb::rope_i;

use super::activations;
use super::network::Network;
use super::softmax::Softmax;

/// Width of a head, of SmolLM2; shapes do not tell.
const HEAD: usize = 64;
/// Base of the rotary frequencies, of SmolLM2.
const BASE: f64 = 100_000.0;
/// Added to a mean square before its root is taken.
const EPSILON: f32 = 1e-5;

/// Windows × tokens (U32) → predictions × tokens of the vocabulary.
pub(super) fn forward(network: &Network, tokens: &Tensor) -> Result<Tensor> {
    let (windows, length) = tokens.dims2()?;
    let turns = turns(length)?;
    let mut x = network.rows("token_embd.weight", &tokens.flatten_all()?)?;
    for layer in 0..network.count(|layer| format!("blk.{layer}.attn_q.weight")) {
        let layer = format!("blk.{layer}");
        let attended = attend(network, &layer, &norm(network, &format!("{layer}.attn_norm"), &x)?, windows, &turns)?;
        x = (x + network.linear(&format!("{layer}.attn_output"), &attended)?)?;
        let h = norm(network, &format!("{layer}.ffn_norm"), &x)?;
        let gate = activations::silu(&network.linear(&format!("{layer}.ffn_gate"), &h)?)?;
        let inner = (gate * network.linear(&format!("{layer}.ffn_up"), &h)?)?;
        x = (x + network.linear(&format!("{layer}.ffn_down"), &inner)?)?;
    }
    network.tied_product("token_embd.weight", &norm(network, "output_norm", &x)?)
}

fn norm(network: &Network, layer: &str, x: &Tensor) -> Result<Tensor> {
    rms_norm(x, network.tensor(&format!("{layer}.weight"))?, EPSILON)
}

/// Cosines and sines of the angles position · base^(−i/pairs): positions × pairs each.
fn turns(length: usize) -> Result<[Tensor; 2]> {
    const PAIRS: usize = HEAD / 2;
    #[expect(clippy::cast_precision_loss, reason = "positions and pairs are small")]
    let angle = |place: usize| (place / PAIRS) as f64 * libm::pow(BASE, -((place % PAIRS) as f64) / PAIRS as f64);
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let table = |f: fn(f64) -> f64| {
        let values = (0..length * PAIRS).map(|place| f(angle(place)) as f32);
        Tensor::from_iter(values, &Device::Cpu)?.reshape((length, PAIRS))
    };
    Ok([table(libm::cos)?, table(libm::sin)?])
}

/// Causal self-attention of rows that are `windows` runs of equal length; several query heads share a key head.
fn attend(network: &Network, layer: &str, x: &Tensor, windows: usize, [cos, sin]: &[Tensor; 2]) -> Result<Tensor> {
    let rows = x.dim(0)?;
    let length = rows / windows;
    // Windows × heads × length × head width.
    let part = |name: &str| {
        let y = network.linear(&format!("{layer}.attn_{name}"), x)?;
        let heads = y.dim(1)? / HEAD;
        y.reshape((windows, length, heads, HEAD))?.transpose(1, 2)?.contiguous()
    };
    let (q, k, v) = (rope_i(&part("q")?, cos, sin)?, rope_i(&part("k")?, cos, sin)?, part("v")?);
    let (heads, shared) = (q.dim(1)?, k.dim(1)?);
    // The queries of all heads that share a key head go through one product; they are causal run by run.
    let q = q.reshape((windows, shared, heads / shared * length, HEAD))?;
    let weights = Softmax::of_heads(HEAD, true).of(&q, &k)?;
    let mixed = weights.matmul(&v)?.reshape((windows, heads, length, HEAD))?;
    mixed.transpose(1, 2)?.reshape((rows, heads * HEAD))
}
