//! The weights of one model as candle tensors, and the one place where inputs meet them: where they are multiplied, and recorded.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};
use weighbridge::kernel::Gram;
use weighbridge::safefile::SafeFile;
use weighbridge::weights::Weights;

use super::EvaluateError;

/// Longest sum left to one matrix product. The product's own inner blocks are at least this long on every processor, so up to here it adds
/// in one run; longer sums are cut here into equal runs, at the same places everywhere.
const LONGEST_SUM: usize = 512;

/// Most inputs of a matrix whose second moments are recorded: with 4096 the sums take 128 MiB, and they grow with the square.
const WIDEST_RECORDED: usize = 4096;

/// Weights by name, and a record of what they were multiplied with where that is wanted.
pub(super) struct Network {
    tensors: BTreeMap<String, Tensor>,
    /// Matrices as inputs × outputs, contiguous, a single output beside zeros.
    transposed: BTreeMap<String, Tensor>,
    record: Option<RefCell<BTreeMap<String, Moments>>>,
}

/// XᵀX so far.
struct Moments {
    size: usize,
    sums: Vec<f64>,
    samples: usize,
}

impl Network {
    /// Checks the weights against the original's names and shapes; 16-bit ones become f32, exactly.
    pub fn new(
        fixture: &str,
        original: &SafeFile,
        weights: &BTreeMap<String, Weights>,
        record: bool,
    ) -> std::result::Result<Self, EvaluateError> {
        let failed = |e: candle_core::Error| inference(fixture, &e);
        let (mut tensors, mut transposed) = (BTreeMap::new(), BTreeMap::new());
        for name in original.names() {
            let Some(expected) = original.weights_info(&name)? else { continue };
            let missing = || EvaluateError::MissingTensor { fixture: fixture.to_owned(), tensor: name.clone() };
            let found = weights.get(&name).ok_or_else(missing)?;
            if found.info().shape != expected.shape {
                return Err(EvaluateError::Shape {
                    fixture: fixture.to_owned(),
                    tensor: name,
                    found: found.info().shape.clone(),
                    expected: expected.shape,
                });
            }
            let tensor = Tensor::from_slice(&found.to_f32(), expected.shape.as_slice(), &Device::Cpu).map_err(failed)?;
            if expected.shape.len() > 1 {
                let matrix = tensor.flatten_from(1).and_then(|m| m.t()?.contiguous()).and_then(widen).map_err(failed)?;
                transposed.insert(name.clone(), matrix);
            }
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors, transposed, record: record.then(RefCell::default) })
    }

    /// A tensor as it is stored.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| no_tensor(name))
    }

    /// Shape of a tensor as it is stored.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        self.tensor(name).map(Tensor::dims)
    }

    /// A matrix as inputs × outputs, for what is no product of it: nothing is recorded.
    pub fn inputs_by_outputs(&self, name: &str) -> Result<&Tensor> {
        self.transposed.get(name).ok_or_else(|| no_tensor(name))
    }

    /// How many tensors of that numbered name there are, from 0 without gaps.
    pub fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&i| self.tensors.contains_key(&name(i))).count()
    }

    /// Rows of an embedding table. Such a lookup is no product: it is not recorded.
    pub fn rows(&self, name: &str, indices: &Tensor) -> Result<Tensor> {
        self.tensor(name)?.index_select(indices, 0)
    }

    /// X·Wᵀ + b for the layer's `weight` and, where there is one, its `bias`.
    pub fn linear(&self, layer: &str, x: &Tensor) -> Result<Tensor> {
        let y = self.product(&format!("{layer}.weight"), x)?;
        match self.tensors.get(&format!("{layer}.bias")) {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }

    /// X·Wᵀ: rows × inputs → rows × outputs; W is out × in, its later dimensions taken together.
    pub fn product(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        if let Some(record) = self.record.as_ref().filter(|_| x.dims()[1] <= WIDEST_RECORDED) {
            record.borrow_mut().entry(name.to_owned()).or_insert_with(|| Moments::new(x.dims()[1])).add(x)?;
        }
        self.tied_product(name, x)
    }

    /// X·Wᵀ as [`Network::product`] has it, with nothing recorded: for a table whose rows are looked up as well. What it is as a matrix says
    /// nothing of that other use, and a kernel that goes by half of the uses spoils the other half.
    pub fn tied_product(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let matrix = self.inputs_by_outputs(name)?;
        let (inputs, outputs) = (matrix.dim(0)?, self.tensor(name)?.dim(0)?);
        let run = inputs.div_ceil(inputs.div_ceil(LONGEST_SUM));
        let mut y = x.narrow(1, 0, run)?.matmul(&matrix.narrow(0, 0, run)?)?;
        for start in (run..inputs).step_by(run) {
            let length = run.min(inputs - start);
            y = (y + x.narrow(1, start, length)?.matmul(&matrix.narrow(0, start, length)?)?)?;
        }
        if outputs == 1 { y.narrow(1, 0, 1)?.contiguous() } else { Ok(y) }
    }

    /// What was recorded, by the name of the weights.
    pub fn into_grams(self) -> BTreeMap<String, Gram> {
        let record = self.record.map(RefCell::into_inner).unwrap_or_default();
        record.into_iter().map(|(name, moments)| (name, moments.into_gram())).collect()
    }
}

impl Moments {
    fn new(size: usize) -> Self {
        Self { size, sums: vec![0.0; size * size], samples: 0 }
    }

    /// Adds the rows of X, in runs short enough for one product each; runs are added in f64.
    fn add(&mut self, x: &Tensor) -> Result<()> {
        let rows = x.dim(0)?;
        for start in (0..rows).step_by(LONGEST_SUM) {
            let run = x.narrow(0, start, LONGEST_SUM.min(rows - start))?;
            let products = run.t()?.matmul(&run)?.flatten_all()?.to_vec1::<f32>()?;
            for (sum, product) in self.sums.iter_mut().zip(products) {
                *sum += f64::from(product);
            }
        }
        self.samples += rows;
        Ok(())
    }

    /// Rounded to f32; the upper triangle is used for both, so that symmetry is exact whatever the product's blocks were.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    fn into_gram(self) -> Gram {
        let n = self.size;
        let values = (0..n * n).map(|i| (i / n, i % n)).map(|(row, column)| self.sums[row.min(column) * n + row.max(column)] as f32);
        Gram { size: n, values: values.collect(), samples: self.samples }
    }
}

/// A matrix with a column of zeros beside its only one: the library sums a product with one column in an order that hangs on the processor.
fn widen(matrix: Tensor) -> Result<Tensor> {
    match matrix.dim(1)? {
        1 => matrix.pad_with_zeros(1, 0, 1),
        _ => Ok(matrix),
    }
}

/// Only a model with other tensors than its forward pass expects gets here.
fn no_tensor(name: &str) -> candle_core::Error {
    candle_core::Error::Msg(format!("the forward pass needs a matrix or vector '{name}', which the fixture does not have"))
}

/// The library's error as ours.
pub(super) fn inference(fixture: &str, error: &candle_core::Error) -> EvaluateError {
    EvaluateError::Inference { fixture: fixture.to_owned(), message: error.to_string() }
}
