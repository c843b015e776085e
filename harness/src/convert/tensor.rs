//! A tensor on its way from one format to another: description and bytes, which agree.

use std::borrow::Cow;

use safetensors::Dtype;
use weighbridge::kernel::{Context, Parts};
use weighbridge::registry::Registry;
use weighbridge::weights::TensorInfo;

use super::ConvertError;

/// Most dimensions of a tensor. NumPy stops at 64, PyTorch at 64, ggml at 4; no layer has more than 5.
const MAX_RANK: usize = 16;
/// Longest name of a tensor, in bytes.
const MAX_NAME_BYTES: usize = 4096;

/// A named tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values.
    pub data: Data<'a>,
}

/// A tensor's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Data<'a> {
    /// Little-endian elements.
    Plain(Cow<'a, [u8]>),
    /// Blocks of a kernel of the library, which decode to f32.
    Blocks {
        /// Specification of the kernel.
        kernel: &'static str,
        /// Its one part, `blocks`.
        blocks: &'a [u8],
    },
}

impl<'a> Tensor<'a> {
    /// A tensor of plain elements; fails where shape and bytes disagree.
    pub fn plain(name: impl Into<String>, dtype: Dtype, shape: Vec<usize>, data: impl Into<Cow<'a, [u8]>>) -> Result<Self, ConvertError> {
        let tensor = Self { name: name.into(), dtype, shape, data: Data::Plain(data.into()) };
        let wanted = tensor.checked_bytes()?;
        let Data::Plain(bytes) = &tensor.data else { return Ok(tensor) };
        if bytes.len() as u64 == wanted {
            return Ok(tensor);
        }
        let (name, shape, found) = (&tensor.name, &tensor.shape, bytes.len());
        Err(ConvertError::invalid(format!("tensor '{name}': {dtype:?} of shape {shape:?} are {wanted} bytes, and there are {found}")))
    }

    /// A tensor of a kernel's blocks, of dtype f32. Whether they decode shows when they are written.
    pub fn blocks(name: impl Into<String>, shape: Vec<usize>, kernel: &'static str, blocks: &'a [u8]) -> Result<Self, ConvertError> {
        let tensor = Self { name: name.into(), dtype: Dtype::F32, shape, data: Data::Blocks { kernel, blocks } };
        tensor.checked_bytes().map(|_| tensor)
    }

    /// Length in bytes, with name, rank and size found to be sane.
    fn checked_bytes(&self) -> Result<u64, ConvertError> {
        let (name, shape) = (&self.name, &self.shape);
        if name.len() > MAX_NAME_BYTES {
            return Err(ConvertError::invalid(format!("a tensor's name has {} bytes; the limit is {MAX_NAME_BYTES}", name.len())));
        }
        if shape.len() > MAX_RANK {
            return Err(ConvertError::invalid(format!("tensor '{name}' has {} dimensions; the limit is {MAX_RANK}", shape.len())));
        }
        let bits = elements(shape).and_then(|n| n.checked_mul(self.dtype.bitsize() as u64));
        match bits.filter(|bits| bits.is_multiple_of(8) && isize::try_from(bits / 8).is_ok()) {
            Some(bits) => Ok(bits / 8),
            None => Err(ConvertError::invalid(format!("tensor '{name}': no tensor has {:?} of shape {shape:?}", self.dtype))),
        }
    }

    /// The same tensor, borrowing nothing.
    pub fn into_owned(self) -> Result<Tensor<'static>, ConvertError> {
        let data = Data::Plain(Cow::Owned(self.plain_bytes()?.into_owned()));
        Ok(Tensor { name: self.name, dtype: self.dtype, shape: self.shape, data })
    }

    /// Number of elements.
    pub fn elements(&self) -> u64 {
        elements(&self.shape).unwrap_or(u64::MAX)
    }

    /// Length in bytes once it is plain.
    pub fn bytes(&self) -> u64 {
        self.elements() * self.dtype.bitsize() as u64 / 8
    }

    /// Whether it holds floating-point weights: f32, f16 or bf16.
    pub fn is_weights(&self) -> bool {
        matches!(self.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)
    }

    /// Its elements as bytes; blocks are decoded.
    pub fn plain_bytes(&self) -> Result<Cow<'_, [u8]>, ConvertError> {
        let (kernel, blocks) = match &self.data {
            Data::Plain(bytes) => return Ok(Cow::Borrowed(bytes)),
            Data::Blocks { kernel, blocks } => (kernel, blocks),
        };
        let wrap = |e: &dyn std::fmt::Display| ConvertError::invalid(format!("tensor '{}': {e}", self.name));
        let info = TensorInfo { name: self.name.clone(), shape: self.shape.clone(), dtype: weighbridge::weights::Dtype::F32 };
        let kernel = Registry::default().parse(kernel).map_err(|e| wrap(&e))?;
        let parts = Parts::new().with("blocks", blocks.to_vec());
        let weights = kernel.decode(&parts, &info, &Context::default()).map_err(|e| wrap(&e))?;
        Ok(Cow::Owned(weights.bytes().to_vec()))
    }
}

/// Product of the dimensions, if it fits.
pub fn elements(shape: &[usize]) -> Option<u64> {
    shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64))
}
