//! Layers of transformers: as measured on all-MiniLM-L6-v2 (BERT) and SmolLM2-135M (Llama).

use super::layer::{Layer, PLAIN};
use super::measured::Measured;

/// Queries, keys and values of BERT.
pub const BERT_ATTENTION: Layer = Layer {
    id: "bert-attention",
    std: 0.075,
    rank: 0.214,
    offset: 0.0198,
    decay: 0.657,
    low_rank: 0.424,
    tail: 0.166,
    row_spread: 0.106,
    column_spread: 0.115,
    outliers: 9e-06,
    excess: 0.4,
    measured: Measured::of(
        (384, 384),
        [(0.044, 0.095), (0.2, 1.4), (0.06, 0.1), (0.0, 3e-05), (5.0, 9.0), (0.12, 0.12), (0.09, 0.17), (0.4, 0.46), (0.42, 0.42)],
    ),
    ..PLAIN
};

/// The output projection of BERT's attention.
pub const BERT_ATTENTION_OUTPUT: Layer = Layer {
    id: "bert-attention-output",
    std: 0.05,
    rank: 0.299,
    offset: 0.0124,
    decay: 0.43,
    low_rank: 0.345,
    tail: 0.143,
    row_spread: 0.27,
    column_spread: 0.12,
    outliers: 6e-06,
    excess: 0.44,
    measured: Measured::of(
        (384, 384),
        [(0.05, 0.05), (1.4, 1.4), (0.09, 0.09), (3e-05, 3e-05), (7.0, 7.0), (0.3, 0.3), (0.13, 0.13), (0.47, 0.47), (0.4, 0.4)],
    ),
    ..PLAIN
};

/// The first half of BERT's feed-forward layer.
pub const BERT_FFN_UP: Layer = Layer {
    id: "bert-ffn-up",
    std: 0.065,
    rank: 0.11,
    offset: 0.027,
    decay: 1.0,
    low_rank: 0.245,
    tail: 0.27,
    row_spread: 0.2,
    column_spread: 0.113,
    outliers: 8e-07,
    excess: 0.6,
    measured: Measured::of(
        (1536, 384),
        [(0.065, 0.065), (1.0, 1.0), (0.62, 0.62), (4e-05, 4e-05), (8.6, 8.6), (0.22, 0.22), (0.12, 0.12), (0.67, 0.67), (0.28, 0.28)],
    ),
    ..PLAIN
};

/// The second half of BERT's feed-forward layer. One massive weight decides its kurtosis; other outliers keep to few columns.
pub const BERT_FFN_DOWN: Layer = Layer {
    id: "bert-ffn-down",
    std: 0.045,
    rank: 0.223,
    offset: 0.0042,
    decay: 0.596,
    low_rank: 0.2,
    tail: 0.204,
    row_spread: 0.225,
    column_spread: 0.17,
    outliers: 0.000177,
    excess: 1.62,
    hot: 0.84,
    massive: 111.0,
    measured: Measured::of(
        (384, 1536),
        [
            (0.045, 0.045),
            (103.0, 103.0),
            (0.59, 0.59),
            (0.0003, 0.0003),
            (87.0, 87.0),
            (0.24, 0.24),
            (0.23, 0.23),
            (0.66, 0.66),
            (0.27, 0.27),
        ],
    ),
    ..PLAIN
};

/// Embeddings of BERT's tokens.
pub const BERT_EMBEDDING: Layer = Layer {
    id: "bert-embedding",
    std: 0.056,
    rank: 0.267,
    offset: 0.027,
    decay: 0.86,
    low_rank: 0.33,
    tail: 0.035,
    row_spread: 0.18,
    column_spread: 0.038,
    outliers: 1e-06,
    excess: 0.5,
    massive: 17.0,
    measured: Measured::of(
        (4096, 384),
        [
            (0.0556, 0.0556),
            (0.41, 0.41),
            (-0.01, -0.01),
            (5e-06, 5e-06),
            (18.9, 18.9),
            (0.215, 0.215),
            (0.041, 0.041),
            (0.71, 0.71),
            (0.287, 0.287),
        ],
    ),
    ..PLAIN
};

/// Queries and keys of Llama.
pub const LLAMA_QUERY: Layer = Layer {
    id: "llama-query",
    std: 0.2,
    rank: 0.124,
    offset: 0.0242,
    decay: 0.571,
    low_rank: 0.49,
    tail: 0.079,
    row_spread: 0.345,
    column_spread: 0.127,
    outliers: 7e-05,
    excess: 1.2,
    measured: Measured::of(
        (576, 576),
        [(0.2, 0.2), (2.4, 2.4), (0.21, 0.21), (0.0002, 0.0002), (12.0, 12.0), (0.38, 0.38), (0.14, 0.14), (0.33, 0.33), (0.55, 0.55)],
    ),
    ..PLAIN
};

/// The output projection of Llama's attention.
pub const LLAMA_ATTENTION_OUTPUT: Layer = Layer {
    id: "llama-attention-output",
    std: 0.17,
    rank: 0.296,
    offset: 0.0225,
    decay: 0.288,
    low_rank: 0.463,
    tail: 0.09,
    row_spread: 0.17,
    column_spread: 0.139,
    outliers: 8e-05,
    excess: 1.9,
    hot: 0.77,
    measured: Measured::of(
        (576, 576),
        [
            (0.169, 0.169),
            (1.46, 1.46),
            (0.19, 0.19),
            (9.8e-05, 9.8e-05),
            (11.9, 11.9),
            (0.17, 0.17),
            (0.162, 0.162),
            (0.46, 0.46),
            (0.415, 0.415),
        ],
    ),
    ..PLAIN
};

/// Gate, up and down projections of Llama, and its values.
pub const LLAMA_FFN: Layer = Layer {
    id: "llama-ffn",
    std: 0.19,
    rank: 0.105,
    offset: 0.0142,
    decay: 0.666,
    low_rank: 0.153,
    tail: 0.221,
    row_spread: 0.104,
    column_spread: 0.064,
    outliers: 6.6e-05,
    excess: 2.13,
    measured: Measured::of(
        (1536, 576),
        [(0.19, 0.19), (0.4, 1.9), (0.6, 0.7), (3e-05, 0.0001), (12.0, 18.0), (0.09, 0.14), (0.05, 0.08), (0.71, 0.77), (0.21, 0.25)],
    ),
    ..PLAIN
};

/// Embeddings of Llama's tokens. Nearly half of their energy is one row that all share.
pub const LLAMA_EMBEDDING: Layer = Layer {
    id: "llama-embedding",
    std: 0.14,
    rank: 0.65,
    offset: 0.028,
    decay: 0.26,
    low_rank: 0.12,
    tail: 0.035,
    row_spread: 0.34,
    column_spread: 0.09,
    outliers: 1e-07,
    excess: 0.5,
    common: 0.5,
    common_tail: 0.9,
    common_gain: 0.017,
    measured: Measured::of(
        (4096, 576),
        [(0.14, 0.14), (5.3, 5.3), (1.6, 1.6), (0.001, 0.001), (15.0, 15.0), (0.18, 0.18), (0.16, 0.16), (0.08, 0.08), (0.14, 0.14)],
    ),
    ..PLAIN
};
