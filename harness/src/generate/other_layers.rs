//! Layers of recurrent, convolutional and dense networks.

use super::layer::{Layer, PLAIN};
use super::measured::Measured;

/// Input and recurrent weights of an LSTM with light tails.
pub const LSTM_LIGHT: Layer = Layer {
    id: "lstm-light",
    std: 0.11,
    rank: 0.122,
    offset: 0.0195,
    decay: 0.7,
    low_rank: 0.22,
    tail: 0.06,
    row_spread: 0.076,
    column_spread: 0.06,
    outliers: 6e-06,
    excess: 0.45,
    measured: Measured::of(
        (1024, 256),
        [(0.11, 0.11), (0.12, 0.26), (0.0, 0.0), (4e-06, 8e-06), (6.0, 6.0), (0.08, 0.11), (0.05, 0.08), (0.75, 0.75), (0.26, 0.26)],
    ),
    ..PLAIN
};

/// The same with heavy tails.
pub const LSTM_HEAVY: Layer = Layer {
    id: "lstm-heavy",
    std: 0.27,
    rank: 0.113,
    offset: 0.0125,
    decay: 0.841,
    low_rank: 0.38,
    tail: 0.289,
    row_spread: 0.269,
    column_spread: 0.127,
    outliers: 0.0001,
    excess: 1.06,
    measured: Measured::of(
        (1024, 256),
        [(0.23, 0.31), (1.7, 2.4), (0.7, 1.1), (0.0002, 0.0003), (11.0, 11.0), (0.28, 0.34), (0.08, 0.17), (0.45, 0.52), (0.31, 0.41)],
    ),
    ..PLAIN
};

/// Full 3×3 convolutions; columns are input channels × kernel.
pub const VGG_3X3: Layer = Layer {
    id: "vgg-3x3",
    std: 0.036,
    rank: 0.627,
    offset: 0.0239,
    decay: 0.649,
    low_rank: 0.592,
    tail: 0.606,
    row_spread: 0.004,
    column_spread: 0.1,
    outliers: 3.65e-05,
    excess: 1.0,
    measured: Measured::of(
        (512, 4608),
        [(0.036, 0.036), (1.8, 1.8), (1.4, 1.4), (0.0002, 0.0002), (12.0, 12.0), (0.04, 0.04), (0.11, 0.11), (0.54, 0.54), (0.39, 0.39)],
    ),
    ..PLAIN
};

/// 1×1 convolutions that widen a residual network's bottleneck.
pub const RESNET_1X1_EXPAND: Layer = Layer {
    id: "resnet-1x1-expand",
    std: 0.0114,
    rank: 0.09,
    offset: 0.0244,
    decay: 0.7,
    low_rank: 0.345,
    tail: 0.245,
    row_spread: 0.46,
    column_spread: 0.098,
    outliers: 0.00012,
    excess: 4.1,
    hot: 0.75,
    measured: Measured::of(
        (1024, 256),
        [
            (0.0114, 0.0114),
            (6.5, 6.5),
            (0.62, 0.62),
            (0.00086, 0.00086),
            (19.7, 19.7),
            (0.446, 0.446),
            (0.109, 0.109),
            (0.546, 0.546),
            (0.392, 0.392),
        ],
    ),
    ..PLAIN
};

/// 1×1 convolutions that narrow it. A few input channels are silent.
pub const RESNET_1X1_REDUCE: Layer = Layer {
    id: "resnet-1x1-reduce",
    std: 0.0119,
    rank: 0.09,
    offset: 0.022,
    decay: 0.475,
    low_rank: 0.445,
    tail: 0.09,
    row_spread: 0.11,
    column_spread: 0.315,
    outliers: 0.00032,
    excess: 3.2,
    hot: 0.75,
    silent: 0.02,
    measured: Measured::of(
        (256, 1024),
        [
            (0.0119, 0.0119),
            (6.65, 6.65),
            (0.7, 0.7),
            (0.00076, 0.00076),
            (18.3, 18.3),
            (0.134, 0.134),
            (0.326, 0.326),
            (0.479, 0.479),
            (0.46, 0.46),
        ],
    ),
    ..PLAIN
};

/// 1×1 convolutions of inverted bottlenecks.
pub const EFFICIENTNET_1X1: Layer = Layer {
    id: "efficientnet-1x1",
    std: 0.085,
    rank: 0.12,
    offset: 0.0226,
    decay: 0.466,
    low_rank: 0.117,
    tail: 0.177,
    row_spread: 0.112,
    column_spread: 0.163,
    outliers: 1.64e-05,
    excess: 0.784,
    measured: Measured::of(
        (192, 672),
        [(0.08, 0.09), (1.0, 1.1), (0.25, 0.25), (3e-05, 7e-05), (7.0, 8.0), (0.1, 0.18), (0.13, 0.2), (0.8, 0.84), (0.2, 0.23)],
    ),
    ..PLAIN
};

/// Depthwise convolutions; the columns are the kernel.
pub const DEPTHWISE: Layer = Layer {
    id: "depthwise",
    std: 0.09,
    rank: 0.157,
    offset: 0.236,
    decay: 0.84,
    low_rank: 0.55,
    tail: 0.458,
    row_spread: 0.05,
    column_spread: 0.74,
    outliers: 0.00012,
    excess: 1.6,
    measured: Measured::of(
        (672, 9),
        [(0.09, 0.09), (8.6, 8.6), (1.8, 1.8), (0.0008, 0.0008), (9.5, 9.5), (0.4, 0.4), (0.62, 0.62), (0.31, 0.31), (0.89, 0.89)],
    ),
    ..PLAIN
};

/// Dense layers of a perceptron.
pub const MLP: Layer = Layer {
    id: "mlp",
    std: 0.064,
    rank: 0.31,
    offset: 0.018,
    decay: 0.76,
    low_rank: 0.454,
    tail: 0.098,
    row_spread: 0.075,
    column_spread: 0.147,
    measured: Measured::of(
        (512, 784),
        [(0.0588, 0.0688), (0.21, 0.48), (-0.07, 0.08), (0.0, 0.0), (4.8, 6.0), (0.08, 0.1), (0.149, 0.161), (0.435, 0.47), (0.379, 0.397)],
    ),
    ..PLAIN
};
