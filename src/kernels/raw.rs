//! The controls: `f32-raw` stores every tensor in its own dtype, `bf16` rounds to bfloat16.
//!
//! `f32-raw` shows what the harness itself costs: its ratio is just under 1 by the artifact's header, its error is zero. bfloat16 is the
//! upper half of an IEEE 754 single, rounded to nearest even.

use half::bf16;
use half::slice::HalfFloatSliceExt;
use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, PartSize, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{Dtype, TensorInfo, Weights};

/// Configuration of kernels that have nothing to configure.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NoConfig {}

/// Stores the tensor's bytes as they are.
#[derive(Debug)]
pub struct F32Raw(NoConfig);

impl Kernel for F32Raw {
    const INFO: Info = Info {
        id: "f32-raw",
        version: 1,
        summary: "control: each tensor's bytes as they are",
        source: "safetensors file format",
        lossless: true,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    const ROWS_APART: bool = true;
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        Ok(Parts::new().with("values", weights.bytes().to_vec()))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        Ok(Weights::from_bytes(info, parts.exact("values", info.size_bytes())?)?)
    }

    fn promise(&self, _: &Weights) -> Promise {
        Promise::Exact
    }

    fn packed_sizes(&self, info: &TensorInfo) -> Option<Vec<PartSize>> {
        Some(vec![PartSize::new("values", info.size_bytes())])
    }
}

/// Rounds to bfloat16.
#[derive(Debug)]
pub struct Bf16Cast(NoConfig);

impl Kernel for Bf16Cast {
    const INFO: Info = Info {
        id: "bf16",
        version: 1,
        summary: "control: every value rounded to bfloat16",
        source: "upper half of IEEE 754 binary32, round to nearest even",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    const ROWS_APART: bool = true;
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        if info.dtype == Dtype::F16 {
            return Err(Refusal::new("F16 is already 16 bits wide"));
        }
        if info.shape.len() < 2 || info.elements() == 0 {
            return Err(Refusal::new(format!("shape {:?} is no matrix with elements", info.shape)));
        }
        Ok(())
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let values = weights.to_f32();
        let mut codes = vec![bf16::ZERO; values.len()];
        codes.convert_from_f32_slice(&values);
        if let Some(index) = codes.iter().position(|c| !c.is_finite()) {
            return Err(Refusal::new(format!("element {index} is {:e}, which rounds beyond bfloat16's largest value", values[index])));
        }
        Ok(Parts::new().with("values", bytemuck::cast_slice(&codes).to_vec()))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let bytes = parts.exact("values", info.elements() * 2)?;
        let codes: Vec<bf16> = bytemuck::allocation::pod_collect_to_vec(bytes);
        Ok(Weights::from_f32(info, codes.to_f32_vec())?)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        // Half a unit in the last of 8 significant bits; below the normal range the unit is fixed at 2^-133.
        Promise::Elementwise(weights.to_f32().iter().map(|x| (x.abs() / 256.0).max(2f32.powi(-134))).collect())
    }
}
