//! Residual networks with bottlenecks: ResNet-v2 as in Big Transfer (Kolesnikov et al. 2020), with group norms, named as its checkpoints are.

use serde::Deserialize;

use super::Tensors;
use crate::generate::layer;

/// Mean and spread of the gain of group norms, and spread of their bias.
const NORM: (f64, f64, f64) = (0.6, 0.1, 0.06);
/// Channels of the first stage's bottleneck at width 1.
const BASE: usize = 64;
/// Outputs of a block over its bottleneck.
const EXPANSION: usize = 4;

/// Dimensions of a residual network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resnet {
    /// Blocks of each stage.
    pub blocks: Vec<usize>,
    /// Factor of all channels.
    pub width: usize,
    /// Outputs.
    pub classes: usize,
}

impl Resnet {
    pub(super) fn list(&self, tensors: &mut Tensors) {
        if self.blocks.is_empty() || self.blocks.len() > 8 {
            tensors.refuse(format!("key 'blocks' has {} stages; give 1 to 8", self.blocks.len()));
            return;
        }
        let norm = |tensors: &mut Tensors, name: String, channels: usize| {
            tensors.vector(format!("{name}.weight"), channels, NORM.0, NORM.1);
            tensors.vector(format!("{name}.bias"), channels, 0.0, NORM.2);
        };
        let base = BASE.saturating_mul(self.width);
        let mut inputs = base;
        tensors.layer("root.conv.weight", &[base, 3, 7, 7], &layer::VGG_3X3);
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            let middle = base.saturating_mul(1 << stage);
            let outputs = middle.saturating_mul(EXPANSION);
            for block in 0..blocks {
                let at = format!("body.block{}.unit{:02}", stage + 1, block + 1);
                norm(tensors, format!("{at}.gn1"), inputs);
                tensors.layer(format!("{at}.conv1.weight"), &[middle, inputs, 1, 1], &layer::RESNET_1X1_REDUCE);
                norm(tensors, format!("{at}.gn2"), middle);
                tensors.layer(format!("{at}.conv2.weight"), &[middle, middle, 3, 3], &layer::VGG_3X3);
                norm(tensors, format!("{at}.gn3"), middle);
                tensors.layer(format!("{at}.conv3.weight"), &[outputs, middle, 1, 1], &layer::RESNET_1X1_EXPAND);
                if block == 0 {
                    tensors.layer(format!("{at}.downsample.weight"), &[outputs, inputs, 1, 1], &layer::RESNET_1X1_EXPAND);
                }
                inputs = outputs;
            }
        }
        norm(tensors, "head.gn".to_owned(), inputs);
        tensors.layer("head.conv.weight", &[self.classes, inputs, 1, 1], &layer::MLP);
        tensors.vector("head.conv.bias", self.classes, 0.0, NORM.2);
    }
}
