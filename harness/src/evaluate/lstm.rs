//! Embedding, LSTM layers (PyTorch's gate order i, f, g, o; one bias a layer), linear head; the state is zero at the start of each window.
//!
//! The input's share of the gates is one matrix product for all steps of a batch; only the recurrent share needs a loop. Rows are kept
//! step by step (all windows' first characters, then all second ones), so that a step is a contiguous run of them.

use candle_core::{DType, Device, Result, Tensor};

use super::cells::LstmCell;
use super::network::Network;

/// Windows × characters (U32) → predictions × classes.
pub(super) fn forward(network: &Network, tokens: &Tensor) -> Result<Tensor> {
    let (windows, length) = tokens.dims2()?;
    let mut x = network.rows("emb.weight", &tokens.t()?.flatten_all()?)?;
    for layer in 0..network.count(|layer| format!("lstm.weight_ih_l{layer}")) {
        x = recur(network, layer, &x, windows, length)?;
    }
    let logits = network.linear("fc", &x)?;
    let classes = logits.dim(1)?;
    logits.reshape((length, windows, classes))?.transpose(0, 1)?.reshape((windows * length, classes))
}

/// One layer over all steps: steps·windows × inputs → steps·windows × hidden.
fn recur(network: &Network, layer: usize, x: &Tensor, windows: usize, length: usize) -> Result<Tensor> {
    let recurrent = format!("lstm.weight_hh_l{layer}");
    let bias = network.tensor(&format!("lstm.bias_l{layer}"))?;
    let from_input = network.product(&format!("lstm.weight_ih_l{layer}"), x)?.broadcast_add(bias)?;
    let hidden = network.shape(&recurrent)?.last().copied().unwrap_or(0);
    let mut state = Tensor::zeros((windows, hidden), DType::F32, &Device::Cpu)?;
    let mut cell = state.clone();
    let mut states = Vec::with_capacity(length);
    for step in 0..length {
        let from_state = network.product(&recurrent, &state)?;
        let next = from_input.narrow(0, step * windows, windows)?.apply_op3_no_bwd(&from_state, &cell, &LstmCell)?;
        (state, cell) = (next.get(0)?, next.get(1)?);
        states.push(state.clone());
    }
    Tensor::cat(&states, 0)
}
