//! Kinds of layers: parameters of the generator, fitted so that its statistics are those of trained layers ([`Measured`]).

use super::measured::Measured;

pub use super::other_layers::*;
pub use super::transformer_layers::*;

/// Parameters of one kind of layer, for [`super::tensor`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// Name.
    pub id: &'static str,
    /// Standard deviation.
    pub std: f64,
    /// Directions of the low-rank part, as a share of the smaller dimension.
    pub rank: f64,
    /// Offset of the power law, as a share of the smaller dimension.
    pub offset: f64,
    /// Exponent of the power law.
    pub decay: f64,
    /// Share ρ of the variance that the low-rank part has.
    pub low_rank: f64,
    /// Spread of the logarithm of the cells' own scales: a heavy tail that no scale of a row or column explains.
    pub tail: f64,
    /// Spread of the logarithm of the rows' scales.
    pub row_spread: f64,
    /// Spread of the logarithm of the columns' scales.
    pub column_spread: f64,
    /// Share of entries that are outliers.
    pub outliers: f64,
    /// Mean excess of outliers over six standard deviations.
    pub excess: f64,
    /// Share of outliers that lie in hot columns.
    pub hot: f64,
    /// Magnitude of one massive weight a tensor, in standard deviations; 0 for none.
    pub massive: f64,
    /// Share of the variance that a row common to all rows has.
    pub common: f64,
    /// Spread of the logarithm of the common row's scales.
    pub common_tail: f64,
    /// How much wider columns with a large common value are: by 1 + gain·m², with m that value over its root mean square.
    pub common_gain: f64,
    /// Share of columns that are zero.
    pub silent: f64,
    /// What trained layers of this kind measure.
    pub measured: Measured,
}

/// Independent Gaussian cells, from which the kinds differ.
pub(super) const PLAIN: Layer = Layer {
    id: "plain",
    std: 1.0,
    rank: 0.0,
    offset: 0.0,
    decay: 0.0,
    low_rank: 0.0,
    tail: 0.0,
    row_spread: 0.0,
    column_spread: 0.0,
    outliers: 0.0,
    excess: 1.0,
    hot: 0.5,
    massive: 0.0,
    common: 0.0,
    common_tail: 0.0,
    common_gain: 0.0,
    silent: 0.0,
    measured: Measured { shape: (256, 256), figures: [(0.0, 0.0); 9] },
};

/// All kinds, in the order of tables.
pub static LAYERS: &[Layer] = &[
    BERT_ATTENTION,
    BERT_ATTENTION_OUTPUT,
    BERT_FFN_UP,
    BERT_FFN_DOWN,
    BERT_EMBEDDING,
    LLAMA_QUERY,
    LLAMA_ATTENTION_OUTPUT,
    LLAMA_FFN,
    LLAMA_EMBEDDING,
    LSTM_LIGHT,
    LSTM_HEAVY,
    VGG_3X3,
    RESNET_1X1_EXPAND,
    RESNET_1X1_REDUCE,
    EFFICIENTNET_1X1,
    DEPTHWISE,
    MLP,
];
