//! What a kernel is: the static trait for whoever writes one, and the object-safe form the harness uses.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use crate::entry::{Entry, Migration};
use crate::error::{DecodeError, Refusal};
use crate::kernels::seedlm::CellLists;
use crate::pipeline::Mixed;
use crate::simd::Level;
use crate::spec::{self, Parameter};
use crate::weights::{TensorInfo, Weights};

/// A named run of packed bytes; an artifact stores each as a one-dimensional U8 tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name within the tensor, such as `codes` or `scales`.
    pub name: String,
    /// Packed bytes, little-endian.
    pub bytes: Vec<u8>,
}

/// The packed parts of one tensor, in the order the kernel wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts(pub Vec<Part>);

impl Parts {
    /// No parts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part.
    pub fn with(mut self, name: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.0.push(Part { name: name.into(), bytes });
        self
    }

    /// The part of that name, of any length.
    pub fn get(&self, name: &str) -> Result<&[u8], DecodeError> {
        let found = self.0.iter().find(|p| p.name == name);
        found.map(|p| p.bytes.as_slice()).ok_or_else(|| DecodeError::MissingPart { part: name.to_owned() })
    }

    /// The part of that name, which must hold exactly `expected` bytes.
    pub fn exact(&self, name: &str, expected: usize) -> Result<&[u8], DecodeError> {
        let bytes = self.get(name)?;
        if bytes.len() == expected {
            Ok(bytes)
        } else {
            Err(DecodeError::PartLength { part: name.to_owned(), expected, found: bytes.len() })
        }
    }

    /// Bytes of all parts together, names not counted.
    pub fn size_bytes(&self) -> usize {
        self.0.iter().map(|p| p.bytes.len()).sum()
    }
}

/// Name and size of a part that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSize {
    /// Name within the tensor.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

impl PartSize {
    /// A part of that name and length.
    pub fn new(name: &str, bytes: usize) -> Self {
        Self { name: name.to_owned(), bytes: bytes as u64 }
    }

    /// Those of parts.
    pub fn of(parts: &Parts) -> Vec<Self> {
        parts.0.iter().map(|part| Self::new(&part.name, part.bytes.len())).collect()
    }
}

/// Second-order statistics of a layer's inputs on calibration data.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    /// Number of inputs n; the matrix is n × n.
    pub size: usize,
    /// XᵀX over all calibration inputs, row-major, symmetric.
    pub values: Vec<f32>,
    /// Rows of X.
    pub samples: usize,
}

/// What a kernel may use besides the tensor. Nothing in here may change what decode gives for the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Instructions to use; every level gives the same bytes.
    pub simd: Level,
    /// Calibration statistics of the inputs of this tensor's layer, where there are some.
    pub gram: Option<&'a Gram>,
    /// Lists that make `seedlm` faster at 4 bits; the parts are the same. [Why nothing makes them by itself](crate::kernels::seedlm::lists).
    pub seedlm_lists: Option<&'a CellLists>,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self { simd: Level::current(), gram: None, seedlm_lists: None }
    }
}

/// What a kernel promises of its decoded values, computed from the original alone. The harness checks it before it stores any time.
#[derive(Debug, Clone, PartialEq)]
pub enum Promise {
    /// Every bit comes back.
    Exact,
    /// |decoded − original| of element i is at most the i-th bound, before rounding to a 16-bit dtype.
    Elementwise(Vec<f32>),
    /// ‖decoded − original‖ ≤ bound · ‖original‖ (Frobenius norms).
    Relative(f64),
}

/// Identity of a kernel.
#[derive(Debug, Clone, Copy)]
pub struct Info {
    /// Name in specifications, in kebab case.
    pub id: &'static str,
    /// Version of its packed layout and configuration; artifacts record it.
    pub version: u32,
    /// One line on what it does.
    pub summary: &'static str,
    /// Paper or specification it is held to.
    pub source: &'static str,
    /// Whether every bit comes back.
    pub lossless: bool,
}

/// A compression kernel: an algorithm with a typed configuration.
///
/// `encode` must give the same parts for the same weights on every [`Level`] and on any number of rayon threads; `decode` must need
/// nothing but the parts, the tensor's description and the configuration.
pub trait Kernel: Sized + Send + Sync + 'static {
    /// Identity.
    const INFO: Info;
    /// Parameters, in the order in which specifications print them. One for each field of [`Kernel::Config`].
    const PARAMETERS: &'static [Parameter];
    /// Whether a block of rows is packed as it is within its tensor, but for what extremes elsewhere decide, and for groups of weights that
    /// straddle rows. A slow kernel is then measured on blocks of rows; else on whole tensors.
    const ROWS_APART: bool = false;
    /// Configuration. Derive it with `#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]`.
    type Config: Serialize + DeserializeOwned + Default;

    /// The kernel for a configuration; the error says what is allowed.
    fn new(config: Self::Config) -> Result<Self, String>;

    /// The configuration it was made from.
    fn config(&self) -> &Self::Config;

    /// Whether the kernel takes tensors of this shape and dtype. By default: matrices and higher ranks that hold anything.
    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        if info.shape.len() < 2 {
            return Err(Refusal::new(format!("rank {} is below 2", info.shape.len())));
        }
        if info.elements() == 0 {
            return Err(Refusal::new("no elements"));
        }
        Ok(())
    }

    /// Packs weights that [`Kernel::accepts`] took. Lossy kernels only see finite values.
    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal>;

    /// Unpacks; any input gives weights or an error, never a panic.
    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError>;

    /// What holds for the decoded values of these weights.
    fn promise(&self, weights: &Weights) -> Promise;

    /// Brings a configuration written for an older version, from 1 up, to the current one; the note says what changed, for people.
    ///
    /// Artifacts of that version decode with what comes out, so a change of the packed layout needs a key that says which one it is.
    fn migrate(_version: u32, config: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
        (config, None)
    }

    /// Parts and their sizes in bytes where these follow from shape and dtype alone: what [`Kernel::encode`] gives for every finite tensor
    /// that [`Kernel::accepts`] takes, without calibration. `None` where values decide a size, or whether a tensor is taken.
    fn packed_sizes(&self, _info: &TensorInfo) -> Option<Vec<PartSize>> {
        None
    }
}

/// The object-safe form of [`Kernel`]; methods as there. Pipelines are kernels in this form, too.
pub trait AnyKernel: Send + Sync {
    /// Identity.
    fn info(&self) -> Info;
    /// Shortest specification that makes this kernel again; for a mixed pipeline of a file, its name, which stands for its content.
    fn spec(&self) -> String;
    /// Text that [`Registry::parse`](crate::registry::Registry::parse) makes this kernel of without any file: the specification, or for a
    /// mixed pipeline of a file its whole definition.
    fn text(&self) -> String {
        self.spec()
    }
    /// The kernel that takes a tensor: this one, or the one that a mixed pipeline chooses. Artifacts record it for that tensor.
    fn for_tensor(&self, info: &TensorInfo) -> &dyn AnyKernel;
    /// The mixed pipeline that this is, if it is one.
    fn mixed(&self) -> Option<&Mixed> {
        None
    }
    /// Whole configuration, keys sorted.
    fn config(&self) -> Map<String, Value>;
    /// Specifications of the lossless stages behind the kernel, in the order in which encode applies them.
    fn stages(&self) -> Vec<String> {
        Vec::new()
    }
    /// Packs, or says why not: shape, non-finite values, or the kernel's own reason.
    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal>;
    /// Unpacks.
    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError>;
    /// What holds for the decoded values.
    fn promise(&self, weights: &Weights) -> Promise;
    /// Whether tensors of this shape and dtype are taken, as far as these decide.
    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal>;
    /// Whether a block of rows is packed as it is within its tensor.
    fn rows_apart(&self) -> bool {
        false
    }
    /// Sizes of parts, where shape and dtype decide them.
    fn packed_sizes(&self, _info: &TensorInfo) -> Option<Vec<PartSize>> {
        None
    }
}

impl<K: Kernel> AnyKernel for K {
    fn info(&self) -> Info {
        K::INFO
    }

    fn spec(&self) -> String {
        spec::canonical(K::INFO.id, &spec::to_map(Kernel::config(self)), &spec::to_map(&K::Config::default()), K::PARAMETERS)
    }

    fn for_tensor(&self, _: &TensorInfo) -> &dyn AnyKernel {
        self
    }

    fn config(&self) -> Map<String, Value> {
        spec::to_map(Kernel::config(self))
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        Kernel::accepts(self, weights.info())?;
        if !K::INFO.lossless
            && let Some(index) = weights.first_non_finite()
        {
            let value = weights.to_f32()[index];
            return Err(Refusal::new(format!("element {index} is {value}")));
        }
        Kernel::encode(self, weights, context)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        info.checked_elements()?;
        Kernel::decode(self, parts, info, context)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Kernel::promise(self, weights)
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        Kernel::accepts(self, info)
    }

    fn rows_apart(&self) -> bool {
        K::ROWS_APART
    }

    fn packed_sizes(&self, info: &TensorInfo) -> Option<Vec<PartSize>> {
        Kernel::packed_sizes(self, info)
    }
}

impl std::fmt::Debug for dyn AnyKernel + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.spec())
    }
}
