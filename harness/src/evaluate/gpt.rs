//! GPT-2 style decoder: pre-norm, learned positions, GELU in its tanh form, output head tied to the token embedding.

use candle_core::{Result, Tensor};
use candle_nn::ops::layer_norm;

use super::activations;
use super::network::Network;
use super::softmax::Softmax;

/// Attention heads; shapes do not tell.
const HEADS: usize = 4;
/// Added to a variance before its root is taken.
const EPSILON: f32 = 1e-5;

/// Windows × characters (U32) → predictions × classes.
pub(super) fn forward(network: &Network, tokens: &Tensor) -> Result<Tensor> {
    let (windows, length) = tokens.dims2()?;
    let embedded = network.rows("wte.weight", &tokens.flatten_all()?)?;
    let width = embedded.dim(1)?;
    let positions = network.tensor("wpe.weight")?.narrow(0, 0, length)?;
    let mut x = embedded.reshape((windows, length, width))?.broadcast_add(&positions)?.flatten(0, 1)?;
    for layer in 0..network.count(|layer| format!("h.{layer}.attn.qkv.weight")) {
        let h = format!("h.{layer}");
        let attended = attend(network, &h, &norm(network, &format!("{h}.ln_1"), &x)?, windows)?;
        x = (x + attended)?;
        let inner = network.linear(&format!("{h}.mlp.fc"), &norm(network, &format!("{h}.ln_2"), &x)?)?;
        x = (x + network.linear(&format!("{h}.mlp.proj"), &activations::gelu(&inner)?)?)?;
    }
    network.tied_product("wte.weight", &norm(network, "ln_f", &x)?)
}

fn norm(network: &Network, layer: &str, x: &Tensor) -> Result<Tensor> {
    layer_norm(x, network.tensor(&format!("{layer}.weight"))?, network.tensor(&format!("{layer}.bias"))?, EPSILON)
}

/// Causal self-attention of rows that are `windows` runs of equal length.
fn attend(network: &Network, h: &str, x: &Tensor, windows: usize) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let (length, head) = (rows / windows, width / HEADS);
    // Windows × 3 × heads × length × head width.
    let qkv = network.linear(&format!("{h}.attn.qkv"), x)?.reshape((windows, length, 3 * HEADS, head))?.transpose(1, 2)?;
    let part = |i: usize| qkv.narrow(1, i * HEADS, HEADS)?.contiguous();
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let weights = Softmax::of_heads(head, true).of(&q, &k)?;
    let mixed = weights.matmul(&v)?.transpose(1, 2)?.reshape((rows, width))?;
    network.linear(&format!("{h}.attn.proj"), &mixed)
}
