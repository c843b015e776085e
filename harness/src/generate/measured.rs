//! What trained layers measure: the figures that each kind of layer is held to.
//!
//! Medians over the layers of one kind, or the range of medians where several kinds or networks share an entry. From all-MiniLM-L6-v2 (BERT),
//! SmolLM2-135M (Llama), CRNN (light LSTM), a speaker encoder (heavy LSTM), a VGG16 text detector, EfficientNet-Lite0, a ResNet-152 in
//! bf16, and this repository's `mlp-mnist`. Scales and spectra are as [`super::statistics`] defines them.

use super::statistics::Statistic;

/// Smallest and largest median found.
pub type Interval = (f64, f64);

/// Figures of trained layers of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Rows and columns of the matrices; effective rank and spectrum depend on them.
    pub shape: (usize, usize),
    /// In the order of [`Statistic::ALL`].
    pub figures: [Interval; 9],
}

impl Measured {
    /// Figures of matrices of that shape.
    pub const fn of(shape: (usize, usize), figures: [Interval; 9]) -> Self {
        Self { shape, figures }
    }
}

impl Statistic {
    /// How far a generated median may lie outside what was measured: as a factor, and what is added to both sides first.
    ///
    /// Layers of one trained network differ by more than these factors; a generator of one kind cannot be closer to all of them.
    pub const fn tolerance(self) -> (f64, f64) {
        match self {
            Self::Std | Self::EffectiveRank => (1.15, 0.0),
            Self::SpectrumExponent => (1.2, 0.0),
            Self::RowCv | Self::ColumnCv => (1.35, 0.01),
            Self::MaxOverStd => (1.4, 0.0),
            Self::ExcessKurtosis | Self::NormalisedKurtosis => (1.6, 0.1),
            // Counts of a few entries in a matrix.
            Self::Beyond6Sigma => (2.5, 1e-5),
        }
    }

    /// Whether a generated median is like the measured figures.
    pub fn is_like(self, generated: f64, (low, high): Interval) -> bool {
        let (factor, margin) = self.tolerance();
        (low - margin) / factor <= generated && generated <= high * factor + margin
    }
}
