//! Decoders as Llama and Qwen2, and as Mixtral where there are several experts; named as their checkpoints are.

use serde::Deserialize;

use super::Tensors;
use crate::generate::layer;

/// Gain of RMS norms: median over SmolLM2-135M.
const NORM: (f64, f64) = (0.25, 0.06);
/// Spread of the biases of queries, keys and values, as of BERT's queries.
const BIAS_STD: f64 = 0.23;

/// Dimensions of a decoder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Decoder {
    /// Transformer layers.
    pub layers: usize,
    /// Hidden size.
    pub width: usize,
    /// Size of keys and values of all heads together; smaller than `width` where heads share them.
    pub kv_width: usize,
    /// Inner size of the feed-forward half, of each expert where there are several.
    pub ffn: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Experts; 1 is a dense network.
    #[serde(default = "one")]
    pub experts: usize,
    /// Whether queries, keys and values have biases.
    #[serde(default)]
    pub qkv_bias: bool,
    /// Whether the output head is the embedding.
    #[serde(default = "yes")]
    pub tied: bool,
}

const fn one() -> usize {
    1
}

const fn yes() -> bool {
    true
}

impl Decoder {
    pub(super) fn list(&self, tensors: &mut Tensors) {
        let Self { layers, width, kv_width, ffn, vocabulary, experts, qkv_bias, tied } = *self;
        if experts == 0 {
            tensors.refuse("key 'experts' is 0; 1 is a dense network");
        }
        tensors.layer("model.embed_tokens.weight", &[vocabulary, width], &layer::LLAMA_EMBEDDING);
        for i in 0..layers {
            let at = format!("model.layers.{i}");
            let heads = [("q", width, &layer::LLAMA_QUERY), ("k", kv_width, &layer::LLAMA_QUERY), ("v", kv_width, &layer::LLAMA_FFN)];
            for (name, rows, kind) in heads {
                tensors.layer(format!("{at}.self_attn.{name}_proj.weight"), &[rows, width], kind);
                if qkv_bias {
                    tensors.vector(format!("{at}.self_attn.{name}_proj.bias"), rows, 0.0, BIAS_STD);
                }
            }
            tensors.layer(format!("{at}.self_attn.o_proj.weight"), &[width, width], &layer::LLAMA_ATTENTION_OUTPUT);
            if experts == 1 {
                let mlp = [("gate", ffn, width), ("up", ffn, width), ("down", width, ffn)];
                for (name, rows, columns) in mlp {
                    tensors.layer(format!("{at}.mlp.{name}_proj.weight"), &[rows, columns], &layer::LLAMA_FFN);
                }
            } else {
                tensors.layer(format!("{at}.block_sparse_moe.gate.weight"), &[experts, width], &layer::LLAMA_FFN);
                for e in 0..experts {
                    for (name, rows, columns) in [("w1", ffn, width), ("w2", width, ffn), ("w3", ffn, width)] {
                        let name = format!("{at}.block_sparse_moe.experts.{e}.{name}.weight");
                        tensors.layer(name, &[rows, columns], &layer::LLAMA_FFN);
                    }
                }
            }
            for name in ["input_layernorm", "post_attention_layernorm"] {
                tensors.vector(format!("{at}.{name}.weight"), width, NORM.0, NORM.1);
            }
        }
        tensors.vector("model.norm.weight", width, NORM.0, NORM.1);
        if !tied {
            tensors.layer("lm_head.weight", &[vocabulary, width], &layer::LLAMA_EMBEDDING);
        }
    }
}
