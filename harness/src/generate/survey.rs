//! The generator beside the trained layers it imitates: statistics of a few generated matrices of each kind, and what was measured.

use rayon::prelude::*;
use weighbridge::weights::{Dtype, TensorInfo};

use super::layer::{LAYERS, Layer};
use super::measured::Interval;
use super::statistics::{Statistic, measure, medians};
use super::tensor::{Content, Prepared, TensorSpec};

/// A kind of layer and the medians of its generated matrices, in the order of [`Statistic::ALL`].
#[derive(Debug, Clone, Copy)]
pub struct Surveyed {
    /// The kind.
    pub layer: &'static Layer,
    /// Medians.
    pub generated: [f64; 9],
}

impl Surveyed {
    /// Each statistic that was measured, of generated and of trained layers.
    pub fn comparisons(&self) -> impl Iterator<Item = Compared> + '_ {
        let pairs = Statistic::ALL.iter().zip(self.generated).zip(self.layer.measured.figures);
        pairs.map(|((&statistic, generated), trained)| Compared { statistic, generated, trained })
    }
}

/// One statistic of generated and of trained layers.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// The statistic.
    pub statistic: Statistic,
    /// Median of generated matrices.
    pub generated: f64,
    /// What trained layers were measured to have.
    pub trained: Interval,
}

impl Compared {
    /// Whether the two are alike.
    pub fn is_like(&self) -> bool {
        self.statistic.is_like(self.generated, self.trained)
    }
}

/// Measures `matrices` generated matrices of every kind, in the shape of the trained ones.
pub fn survey(version: u32, seed: u64, matrices: usize) -> Vec<Surveyed> {
    LAYERS.iter().map(|layer| Surveyed { layer, generated: medians(&generate(version, seed, layer, matrices)) }).collect()
}

fn generate(version: u32, seed: u64, layer: &'static Layer, matrices: usize) -> Vec<[f64; 9]> {
    let (rows, columns) = layer.measured.shape;
    let one = |i: usize| {
        let info = TensorInfo { name: format!("survey.{}.{i}", layer.id), shape: vec![rows, columns], dtype: Dtype::F32 };
        let prepared = Prepared::new(version, seed, &TensorSpec { info, content: Content::Layer(layer) });
        measure(&prepared.rows(0..rows), columns)
    };
    (0..matrices).into_par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::VERSION;

    #[test]
    fn generated_layers_are_like_trained_ones() {
        let mut unlike = Vec::new();
        for surveyed in survey(VERSION, 1, 7) {
            for compared in surveyed.comparisons() {
                let Compared { statistic, generated, trained: (low, high) } = compared;
                let line = format!("{:24} {:20} measured {low} to {high}, generated {generated:.3e}", surveyed.layer.id, statistic.name());
                println!("{line}");
                if !compared.is_like() {
                    unlike.push(line);
                }
            }
        }
        assert!(unlike.is_empty(), "{unlike:#?}");
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let mut ids: Vec<_> = LAYERS.iter().map(|l| l.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), LAYERS.len());
        let kebab = |id: &&str| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(ids.iter().all(kebab), "{ids:?}");
    }
}
