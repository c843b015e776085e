//! Language models of LSTM layers: embedding, layers, linear head; named as PyTorch names them, gates stacked in the rows.

use serde::Deserialize;

use super::Tensors;
use crate::generate::layer;

/// Mean and spread of biases, as of the trained text model under `fixtures/`; the forget gate's is in it.
const BIAS: (f64, f64) = (0.15, 0.3);
/// Spread of the head's bias.
const HEAD_BIAS_STD: f64 = 0.04;

/// Dimensions of a recurrent network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lstm {
    /// Tokens.
    pub vocabulary: usize,
    /// Size of a token's embedding.
    pub embedding: usize,
    /// Size of a layer's state.
    pub hidden: usize,
    /// Layers, alternating between the two kinds that were measured.
    pub layers: usize,
}

impl Lstm {
    pub(super) fn list(&self, tensors: &mut Tensors) {
        let Self { vocabulary, embedding, hidden, layers } = *self;
        tensors.layer("embedding.weight", &[vocabulary, embedding], &layer::BERT_EMBEDDING);
        for i in 0..layers {
            let inputs = if i == 0 { embedding } else { hidden };
            let kind = if i % 2 == 0 { &layer::LSTM_LIGHT } else { &layer::LSTM_HEAVY };
            tensors.layer(format!("lstm.weight_ih_l{i}"), &[4 * hidden, inputs], kind);
            tensors.layer(format!("lstm.weight_hh_l{i}"), &[4 * hidden, hidden], kind);
            for side in ["ih", "hh"] {
                tensors.vector(format!("lstm.bias_{side}_l{i}"), 4 * hidden, BIAS.0, BIAS.1);
            }
        }
        tensors.dense("head", vocabulary, hidden, &layer::BERT_EMBEDDING, HEAD_BIAS_STD);
    }
}
