//! What a kernel is: the static trait for whoever writes one, and the object-safe form the harness uses.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::error::{DecodeError, Refusal, SpecError};
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
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self { simd: Level::current(), gram: None }
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

    /// Brings a configuration written for an older version up to date; the note says what changed.
    fn migrate(_version: u32, config: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
        (config, None)
    }
}

/// The object-safe form of [`Kernel`]; methods as there.
pub trait AnyKernel: Send + Sync {
    /// Identity.
    fn info(&self) -> Info;
    /// Shortest specification that makes this kernel again.
    fn spec(&self) -> String;
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
}

impl<K: Kernel> AnyKernel for K {
    fn info(&self) -> Info {
        K::INFO
    }

    fn spec(&self) -> String {
        spec::canonical(K::INFO.id, &to_map(Kernel::config(self)), &to_map(&K::Config::default()), K::PARAMETERS)
    }

    fn config(&self) -> Map<String, Value> {
        to_map(Kernel::config(self))
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        self.accepts(weights.info())?;
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
}

/// Makes a kernel from its configuration.
type Build = fn(Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError>;
/// Brings a configuration of an older version up to date, with a note.
type Migrate = fn(u32, Map<String, Value>) -> (Map<String, Value>, Option<String>);

/// A kernel's place in the registry.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Identity.
    pub info: Info,
    /// Parameters, in order.
    pub parameters: &'static [Parameter],
    build: Build,
    migrate: Migrate,
    default: fn() -> Map<String, Value>,
}

impl Entry {
    /// The entry of a kernel.
    pub const fn of<K: Kernel>() -> Self {
        Self { info: K::INFO, parameters: K::PARAMETERS, build: build::<K>, migrate: K::migrate, default: || to_map(&K::Config::default()) }
    }

    /// The kernel with this configuration; keys that are not given take their defaults.
    pub fn build(&self, config: Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError> {
        if let Some(key) = config.keys().find(|key| !self.parameters.iter().any(|p| p.name == key.as_str())) {
            let known = self.parameters.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            return Err(SpecError::UnknownKey { kernel: self.info.id.to_owned(), key: key.clone(), known });
        }
        (self.build)(config)
    }

    /// The kernel for a configuration written for `version` of this kernel, with a note where something was migrated.
    pub fn build_versioned(&self, version: u32, config: Map<String, Value>) -> Result<(Box<dyn AnyKernel>, Option<String>), SpecError> {
        if version > self.info.version {
            let message = format!("version {version} is newer than {}, the newest this release knows", self.info.version);
            return Err(SpecError::BadValue { kernel: self.info.id.to_owned(), message });
        }
        let (config, note) = (self.migrate)(version, config);
        Ok((self.build(config)?, note))
    }

    /// Default configuration.
    pub fn default_config(&self) -> Map<String, Value> {
        (self.default)()
    }
}

fn build<K: Kernel>(config: Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError> {
    let bad = |message: String| SpecError::BadValue { kernel: K::INFO.id.to_owned(), message };
    let config = serde_json::from_value(Value::Object(config)).map_err(|e| bad(e.to_string()))?;
    Ok(Box::new(K::new(config).map_err(bad)?))
}

/// A configuration as a JSON object; anything else is a mistake in the kernel's `Config` and gives an empty one, which tests refuse.
fn to_map<C: Serialize>(config: &C) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
