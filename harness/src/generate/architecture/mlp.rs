//! Dense layers in a row.

use serde::Deserialize;

use super::Tensors;
use crate::generate::layer;

/// Spread of biases, as of the trained network under `fixtures/`.
const BIAS_STD: f64 = 0.02;

/// Dimensions of a perceptron.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mlp {
    /// Inputs, then the outputs of each layer.
    pub widths: Vec<usize>,
}

impl Mlp {
    pub(super) fn list(&self, tensors: &mut Tensors) {
        if self.widths.len() < 2 {
            tensors.refuse(format!("key 'widths' has {} entries; give the inputs and the outputs of each layer", self.widths.len()));
        }
        for (i, pair) in self.widths.windows(2).enumerate() {
            tensors.dense(&format!("fc{}", i + 1), pair[1], pair[0], &layer::MLP, BIAS_STD);
        }
    }
}
