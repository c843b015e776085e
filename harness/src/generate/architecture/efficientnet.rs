//! EfficientNet (Tan and Le 2019) under its compound scaling: inverted bottlenecks with squeeze and excitation.

use serde::Deserialize;

use super::Tensors;
use crate::generate::layer;

/// Mean and spread of the gain of batch norms, and spread of their bias.
const NORM: (f64, f64, f64) = (0.6, 0.1, 0.06);
/// Repeats, kernel, expansion and output channels of each stage of B0 (table 1 of the paper).
const STAGES: [(usize, usize, usize, usize); 7] =
    [(1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320)];
/// Channels of the stem and of the head at width 1.
const STEM: usize = 32;
const HEAD: usize = 1280;
/// Squeezed channels are this part of a block's inputs.
const SQUEEZE: usize = 4;
/// Channels are multiples of this.
const DIVISOR: usize = 8;

/// Factors of an EfficientNet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EfficientNet {
    /// Factor of channels.
    pub width: f64,
    /// Factor of repeats.
    pub depth: f64,
    /// Outputs.
    pub classes: usize,
}

impl EfficientNet {
    pub(super) fn list(&self, tensors: &mut Tensors) {
        if !(0.1..=20.0).contains(&self.width) || !(0.1..=20.0).contains(&self.depth) {
            tensors.refuse(format!("keys 'width' and 'depth' are {} and {}; they must be from 0.1 to 20", self.width, self.depth));
            return;
        }
        let norm = |tensors: &mut Tensors, name: String, channels: usize| {
            tensors.vector(format!("{name}.weight"), channels, NORM.0, NORM.1);
            tensors.vector(format!("{name}.bias"), channels, 0.0, NORM.2);
        };
        let mut inputs = self.channels(STEM);
        tensors.layer("conv_stem.weight", &[inputs, 3, 3, 3], &layer::VGG_3X3);
        norm(tensors, "bn1".to_owned(), inputs);
        for (stage, &(repeats, kernel, expansion, outputs)) in STAGES.iter().enumerate() {
            let outputs = self.channels(outputs);
            for block in 0..self.repeats(repeats) {
                let at = format!("blocks.{stage}.{block}");
                let (inner, squeezed) = (inputs * expansion, (inputs / SQUEEZE).max(1));
                if expansion > 1 {
                    tensors.layer(format!("{at}.conv_pw.weight"), &[inner, inputs, 1, 1], &layer::EFFICIENTNET_1X1);
                    norm(tensors, format!("{at}.bn_pw"), inner);
                }
                tensors.layer(format!("{at}.conv_dw.weight"), &[inner, 1, kernel, kernel], &layer::DEPTHWISE);
                norm(tensors, format!("{at}.bn_dw"), inner);
                tensors.layer(format!("{at}.se.conv_reduce.weight"), &[squeezed, inner, 1, 1], &layer::EFFICIENTNET_1X1);
                tensors.vector(format!("{at}.se.conv_reduce.bias"), squeezed, 0.0, NORM.2);
                tensors.layer(format!("{at}.se.conv_expand.weight"), &[inner, squeezed, 1, 1], &layer::EFFICIENTNET_1X1);
                tensors.vector(format!("{at}.se.conv_expand.bias"), inner, 0.0, NORM.2);
                tensors.layer(format!("{at}.conv_pwl.weight"), &[outputs, inner, 1, 1], &layer::EFFICIENTNET_1X1);
                norm(tensors, format!("{at}.bn_pwl"), outputs);
                inputs = outputs;
            }
        }
        let head = self.channels(HEAD);
        tensors.layer("conv_head.weight", &[head, inputs, 1, 1], &layer::EFFICIENTNET_1X1);
        norm(tensors, "bn2".to_owned(), head);
        tensors.dense("classifier", self.classes, head, &layer::MLP, NORM.2);
    }

    /// Scaled channels: to the nearest multiple of the divisor, and never more than a tenth down.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "channels are small")]
    fn channels(&self, base: usize) -> usize {
        let scaled = base as f64 * self.width;
        let rounded = ((scaled + DIVISOR as f64 / 2.0) as usize / DIVISOR * DIVISOR).max(DIVISOR);
        if (rounded as f64) < 0.9 * scaled { rounded + DIVISOR } else { rounded }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "repeats are small")]
    fn repeats(&self, base: usize) -> usize {
        (base as f64 * self.depth).ceil() as usize
    }
}
