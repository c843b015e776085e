//! What `bitnet` can be configured to: the byte layout and what shares a scale, and which go together.

use serde::{Deserialize, Serialize};

use crate::spec::Parameter;

/// Sizes a group may have.
const GROUPS: [usize; 4] = [32, 64, 128, 256];
/// Weights in a block of the `tq` packings.
pub const TQ_BLOCK: usize = 256;

/// Byte layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Layout {
    /// Two bits a weight, bitnet.cpp on x86.
    #[default]
    #[serde(rename = "i2_s")]
    I2S,
    /// Five weights a byte, ggml.
    #[serde(rename = "tq1_0")]
    Tq10,
    /// Two bits a weight and a scale for each 256, ggml.
    #[serde(rename = "tq2_0")]
    Tq20,
    /// Three weights in five bits, bitnet.cpp.
    #[serde(rename = "tl2")]
    Tl2,
}

/// What shares a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The tensor.
    #[default]
    Tensor,
    /// Each row.
    Row,
    /// Each group of the flattened tensor.
    Group,
}

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Byte layout.
    pub packing: Layout,
    /// What shares a scale.
    pub scale: Scale,
    /// Weights in a group.
    pub group: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { packing: Layout::default(), scale: Scale::default(), group: 128 }
    }
}

impl Config {
    /// The configuration, or why the packing cannot hold such scales.
    pub fn checked(self) -> Result<Self, String> {
        let tq = matches!(self.packing, Layout::Tq10 | Layout::Tq20);
        if !GROUPS.contains(&self.group) {
            return Err(format!("group is {}; it must be 32, 64, 128 or 256", self.group));
        }
        match self.scale {
            Scale::Row if tq => Err("scale=row does not fit tq1_0 and tq2_0, whose blocks of 256 run over the ends of rows".to_owned()),
            Scale::Group if tq && self.group != TQ_BLOCK => {
                Err(format!("group is {}; tq1_0 and tq2_0 hold one scale for each 256 weights, so it must be 256", self.group))
            }
            Scale::Tensor | Scale::Row if self.group != Config::default().group => {
                Err(format!("group is {}, which only scale=group uses", self.group))
            }
            _ => Ok(self),
        }
    }
}

/// Parameters, in order.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "packing",
        doc: "byte layout: 2, 1.6875, 2.0625 or 1.67 bits a weight",
        values: "i2_s (bitnet.cpp), tq1_0 or tq2_0 (ggml), or tl2 (bitnet.cpp)",
    },
    Parameter { name: "scale", doc: "what shares a scale", values: "tensor, row (not in tq1_0 and tq2_0) or group" },
    Parameter {
        name: "group",
        doc: "weights of the flattened tensor in a group, under scale=group",
        values: "32, 64, 128 or 256; tq1_0 and tq2_0 take 256 alone",
    },
];

#[cfg(test)]
mod tests {
    use crate::registry::Registry;

    #[test]
    fn what_a_packing_cannot_hold_is_refused_with_the_reason() {
        for (spec, expected) in [
            ("bitnet:scale=group,group=100", "group is 100; it must be 32, 64, 128 or 256"),
            ("bitnet:group=64", "group is 64, which only scale=group uses"),
            ("bitnet:scale=row,group=64", "group is 64, which only scale=group uses"),
            ("bitnet:packing=tq1_0,scale=row", "scale=row does not fit tq1_0 and tq2_0, whose blocks of 256 run over the ends of rows"),
            ("bitnet:packing=tq2_0,scale=group", "group is 128; tq1_0 and tq2_0 hold one scale for each 256 weights, so it must be 256"),
        ] {
            let error = Registry::default().parse(spec).err().unwrap().to_string();
            assert_eq!(error, format!("kernel 'bitnet': {expected}"));
        }
    }
}
