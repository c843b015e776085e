//! Configuration and the sizes that follow from it and a tensor's shape.

use serde::{Deserialize, Serialize};

use super::packing;
use crate::weights::TensorInfo;

/// Longest vector.
const MAX_VECTOR: usize = 32;
/// Most centroids of a codebook: 16 bits, so that index and residual index fit a 32-bit word.
const MAX_CENTROIDS: usize = 1 << 16;
/// Vectors that there are at least for each centroid. With fewer, a codebook is little smaller than what it stands for.
const VECTORS_PER_CENTROID: usize = 4;

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Weights of a vector, v.
    pub vector: usize,
    /// Centroids, k1.
    pub centroids: usize,
    /// Centroids of the residual codebook, k2; 0 for none.
    pub residual: usize,
    /// Columns that are outliers, in per cent of all.
    pub outlier_percent: usize,
    /// Weights of a vector of outliers, v0.
    pub outlier_vector: usize,
    /// Centroids of outliers, k0.
    pub outlier_centroids: usize,
    /// Whether columns are quantised by falling diag(H).
    pub permute: bool,
    /// Seed of the random start.
    pub seed: u64,
    /// Most iterations of k-means.
    pub iterations: usize,
    /// Whether errors are propagated.
    pub second_order: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vector: 4,
            centroids: 256,
            residual: 0,
            outlier_percent: 0,
            outlier_vector: 4,
            outlier_centroids: 256,
            permute: false,
            seed: 1,
            iterations: 100,
            second_order: true,
        }
    }
}

impl Config {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        for (name, value, lowest, highest) in [
            ("vector", self.vector, 1, MAX_VECTOR),
            ("centroids", self.centroids, 2, MAX_CENTROIDS),
            ("outlier-percent", self.outlier_percent, 0, 50),
            ("outlier-vector", self.outlier_vector, 1, MAX_VECTOR),
            ("outlier-centroids", self.outlier_centroids, 2, MAX_CENTROIDS),
            ("iterations", self.iterations, 1, 1000),
        ] {
            if !(lowest..=highest).contains(&value) {
                return Err(format!("{name} is {value}; it must be {lowest} to {highest}"));
            }
        }
        if self.residual == 1 || self.residual > MAX_CENTROIDS {
            return Err(format!("residual is {}; it must be 0 (none) or 2 to {MAX_CENTROIDS}", self.residual));
        }
        Ok(())
    }
}

/// A set of columns cut into vectors, with its codebooks' sizes. All sizes saturate, for headers that lie.
#[derive(Debug, Clone, Copy)]
pub struct Book {
    /// Weights of a vector.
    pub vector: usize,
    /// Columns.
    pub columns: usize,
    /// Rows of vectors.
    pub bands: usize,
    /// Centroids after clipping.
    pub centroids: usize,
    /// Residual centroids after clipping; 0 for none.
    pub residual: usize,
}

impl Book {
    fn new(vector: usize, rows: usize, columns: usize, centroids: usize, residual: usize) -> Self {
        let bands = rows.div_ceil(vector);
        let most = (bands.saturating_mul(columns) / VECTORS_PER_CENTROID).max(1);
        Self { vector, columns, bands, centroids: centroids.min(most), residual: residual.min(most) }
    }

    /// Bits of an index, without the residual's.
    pub fn index_bits(&self) -> u32 {
        packing::bits(self.centroids)
    }

    /// Bits of a word.
    pub fn word_bits(&self) -> u32 {
        self.index_bits() + if self.residual > 0 { packing::bits(self.residual) } else { 0 }
    }

    /// Bytes of the indices.
    pub fn index_bytes(&self) -> usize {
        self.bands.saturating_mul(packing::packed_bytes(self.columns, self.word_bits()))
    }
}

/// Sizes of everything.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Output features.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// All columns but the outliers.
    pub main: Book,
    /// Outlier columns, which come first in the stored order; there may be none.
    pub outlier: Book,
    /// Column numbers that `order` holds where calibrated.
    pub ordered: usize,
}

impl Layout {
    /// Sizes for a tensor.
    pub fn new(config: &Config, info: &TensorInfo) -> Self {
        let (rows, columns) = info.rows_cols();
        let outliers = columns / 100 * config.outlier_percent + columns % 100 * config.outlier_percent / 100;
        let main = Book::new(config.vector, rows, columns - outliers, config.centroids, config.residual);
        let outlier = Book::new(config.outlier_vector, rows, outliers, config.outlier_centroids, 0);
        Self { rows, columns, main, outlier, ordered: if config.permute { columns } else { outliers } }
    }

    /// The relative error that the kernel vouches for: for one codebook three times the rate–distortion bound of Gaussian weights, which is
    /// 2^−R at R bits a weight, for two codebooks six times; but at least 0.1 and at most 1.
    ///
    /// k-means on a few dimensions comes to 1.2–1.7 times the bound for each codebook, and weights that are no Gaussian are easier, not
    /// harder. The second-order pass pays for a better output with a larger error of the weights: 1.6 times k-means alone on the MNIST
    /// fixture, whose inputs are correlated as strongly as any. Far below 0.1 a random start leaves k-means short of the bound.
    pub fn bound(&self) -> f64 {
        let Book { vector, centroids, residual, .. } = self.main;
        #[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
        let (vector, codes) = (vector as f64, (centroids * residual.max(1)) as f64);
        let room = if residual > 0 { 6.0 } else { 3.0 };
        (room * (-codes.log2() / vector).exp2()).clamp(0.1, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Dtype;

    fn layout(config: Config, shape: &[usize]) -> Layout {
        Layout::new(&config, &TensorInfo { name: "w".into(), shape: shape.to_vec(), dtype: Dtype::F32 })
    }

    #[test]
    fn the_published_name_has_the_published_rate() {
        let config = Config { vector: 8, centroids: 65_536, residual: 256, ..Config::default() };
        let layout = layout(config, &[14_336, 4096]);
        assert_eq!((layout.main.word_bits(), layout.main.index_bytes() * 8), (24, 14_336 * 4096 * 3));
    }

    #[test]
    fn small_tensors_have_small_codebooks() {
        let layout = layout(Config { outlier_percent: 10, ..Config::default() }, &[10, 64]);
        // Three rows of vectors, of 58 and of 6 columns.
        assert_eq!((layout.main.bands, layout.main.columns, layout.main.centroids), (3, 58, 43));
        assert_eq!((layout.outlier.columns, layout.outlier.centroids, layout.outlier.word_bits()), (6, 4, 2));
        assert_eq!(layout.ordered, 6);
    }

    #[test]
    fn values_out_of_range_say_what_is_allowed() {
        let check = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err()
        };
        assert_eq!(check(|c| c.vector = 0), "vector is 0; it must be 1 to 32");
        assert_eq!(check(|c| c.centroids = 70_000), "centroids is 70000; it must be 2 to 65536");
        assert_eq!(check(|c| c.residual = 1), "residual is 1; it must be 0 (none) or 2 to 65536");
        assert_eq!(check(|c| c.outlier_percent = 51), "outlier-percent is 51; it must be 0 to 50");
        assert_eq!(check(|c| c.iterations = 0), "iterations is 0; it must be 1 to 1000");
    }
}
