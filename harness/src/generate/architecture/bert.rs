//! BERT (Devlin et al. 2019), named as its checkpoints are.

use serde::Deserialize;

use super::Tensors;
use crate::generate::layer;

/// Spread of biases and of the gain of layer norms: medians over MiniLM-L6.
const BIAS_STD: f64 = 0.06;
const QUERY_BIAS_STD: f64 = 0.23;
const NORM: (f64, f64) = (0.6, 0.1);

/// Dimensions of an encoder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bert {
    /// Transformer layers.
    pub layers: usize,
    /// Hidden size.
    pub width: usize,
    /// Inner size of the feed-forward half.
    pub ffn: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Learned positions.
    pub positions: usize,
    /// Whether there is a dense layer over the first token.
    #[serde(default)]
    pub pooler: bool,
}

impl Bert {
    pub(super) fn list(&self, tensors: &mut Tensors) {
        let Self { layers, width, ffn, vocabulary, positions, pooler } = *self;
        let norm = |tensors: &mut Tensors, name: &str| {
            tensors.vector(format!("{name}.LayerNorm.weight"), width, NORM.0, NORM.1);
            tensors.vector(format!("{name}.LayerNorm.bias"), width, 0.0, BIAS_STD);
        };
        tensors.layer("embeddings.word_embeddings.weight", &[vocabulary, width], &layer::BERT_EMBEDDING);
        tensors.layer("embeddings.position_embeddings.weight", &[positions, width], &layer::BERT_EMBEDDING);
        tensors.layer("embeddings.token_type_embeddings.weight", &[2, width], &layer::BERT_EMBEDDING);
        norm(tensors, "embeddings");
        for i in 0..layers {
            let at = format!("encoder.layer.{i}");
            for (name, bias) in [("query", QUERY_BIAS_STD), ("key", BIAS_STD), ("value", BIAS_STD)] {
                tensors.dense(&format!("{at}.attention.self.{name}"), width, width, &layer::BERT_ATTENTION, bias);
            }
            tensors.dense(&format!("{at}.attention.output.dense"), width, width, &layer::BERT_ATTENTION_OUTPUT, BIAS_STD);
            norm(tensors, &format!("{at}.attention.output"));
            tensors.dense(&format!("{at}.intermediate.dense"), ffn, width, &layer::BERT_FFN_UP, BIAS_STD);
            tensors.dense(&format!("{at}.output.dense"), width, ffn, &layer::BERT_FFN_DOWN, BIAS_STD);
            norm(tensors, &format!("{at}.output"));
        }
        if pooler {
            tensors.dense("pooler.dense", width, width, &layer::BERT_ATTENTION, BIAS_STD);
        }
    }
}
