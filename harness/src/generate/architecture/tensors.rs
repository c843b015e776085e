//! A list of tensors under construction.

use weighbridge::weights::{Dtype, TensorInfo};

use crate::generate::layer::Layer;
use crate::generate::tensor::{Content, TensorSpec};

/// Elements of the largest tensor, 2²⁵. Kernels take whole tensors, so this bounds memory: a larger matrix is split into groups of rows,
/// as checkpoints of parallel training are.
pub const MAX_TENSOR_ELEMENTS: usize = 1 << 25;
/// Parameters of the largest network.
const MAX_PARAMETERS: u128 = 20_000_000_000;
/// Tensors of the largest network: more is a slip of the pen.
const MAX_TENSORS: usize = 100_000;

/// Tensors listed so far.
#[derive(Debug)]
pub struct Tensors {
    dtype: Dtype,
    listed: Vec<TensorSpec>,
    parameters: u128,
    problem: Option<String>,
}

impl Tensors {
    /// An empty list.
    pub fn new(dtype: Dtype) -> Self {
        Self { dtype, listed: Vec::new(), parameters: 0, problem: None }
    }

    /// Weights of a layer, in parts where they would be too large.
    pub fn layer(&mut self, name: impl Into<String>, shape: &[usize], layer: &'static Layer) {
        let name = name.into();
        if !self.count(&name, shape) {
            return;
        }
        let (rows, elements) = (shape[0], shape.iter().product::<usize>());
        let parts = elements.div_ceil(MAX_TENSOR_ELEMENTS).min(rows);
        for part in 0..parts {
            let mut shape = shape.to_vec();
            shape[0] = rows * (part + 1) / parts - rows * part / parts;
            let name = if parts == 1 { name.clone() } else { format!("{name}.part-{}-of-{parts}", part + 1) };
            self.push(name, shape, Content::Layer(layer));
        }
    }

    /// A vector of independent values: a bias or a gain.
    pub fn vector(&mut self, name: impl Into<String>, length: usize, mean: f64, std: f64) {
        let name = name.into();
        if self.count(&name, &[length]) {
            self.push(name, vec![length], Content::Gaussian { mean, std });
        }
    }

    /// A dense layer: weights of `outputs × inputs` and a bias of that spread.
    pub fn dense(&mut self, name: &str, outputs: usize, inputs: usize, layer: &'static Layer, bias_std: f64) {
        self.layer(format!("{name}.weight"), &[outputs, inputs], layer);
        self.vector(format!("{name}.bias"), outputs, 0.0, bias_std);
    }

    /// Notes what is wrong with a dimension; the first note is the one reported.
    pub fn refuse(&mut self, message: impl Into<String>) {
        self.problem.get_or_insert(message.into());
    }

    /// The list, or what is wrong with it.
    pub fn finish(self) -> Result<Vec<TensorSpec>, String> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if self.listed.is_empty() {
            return Err("key 'architecture' makes no tensors; give it at least one layer".to_owned());
        }
        Ok(self.listed)
    }

    fn push(&mut self, name: String, shape: Vec<usize>, content: Content) {
        self.listed.push(TensorSpec { info: TensorInfo { name, shape, dtype: self.dtype }, content });
    }

    /// Whether there is room for a tensor of this shape.
    fn count(&mut self, name: &str, shape: &[usize]) -> bool {
        let elements = shape.iter().try_fold(1u128, |n, &d| n.checked_mul(d as u128));
        match elements {
            Some(0) => self.refuse(format!("tensor '{name}' of shape {shape:?} has a dimension of 0; dimensions are at least 1")),
            Some(n) if self.parameters + n <= MAX_PARAMETERS && self.listed.len() < MAX_TENSORS => {
                self.parameters += n;
                return self.problem.is_none();
            }
            _ => self.refuse(format!("key 'architecture' makes more than {MAX_PARAMETERS} parameters or {MAX_TENSORS} tensors")),
        }
        false
    }
}
