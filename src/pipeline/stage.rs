//! What a stage is: the static trait for whoever writes one, and the object-safe form that pipelines use.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::STAGES;
use crate::error::{Owner, SpecError};
use crate::spec::{self, Parameter};

/// Identity of a stage.
#[derive(Debug, Clone, Copy)]
pub struct StageInfo {
    /// Name in specifications, in kebab case.
    pub id: &'static str,
    /// One line on what it does.
    pub summary: &'static str,
    /// Paper or specification it is held to.
    pub source: &'static str,
}

/// A lossless transformation of bytes with a typed configuration. It knows nothing of tensors.
///
/// A stage has no version: artifacts name it by its specification, and what it once wrote it reads for ever. Another layout is another stage.
pub trait Stage: Sized + Send + Sync + 'static {
    /// Identity.
    const INFO: StageInfo;
    /// Parameters, in the order in which specifications print them. One for each field of [`Stage::Config`].
    const PARAMETERS: &'static [Parameter];
    /// Configuration. Derive it with `#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]`.
    type Config: Serialize + DeserializeOwned + Default;

    /// The stage for a configuration; the error says what is allowed.
    fn new(config: Self::Config) -> Result<Self, String>;
    /// The configuration it was made from.
    fn config(&self) -> &Self::Config;
    /// Packs; the result may be longer.
    fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String>;
    /// Unpacks into at most `limit` bytes; any input gives bytes or an error.
    fn unpack(&self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String>;
}

/// The object-safe form of [`Stage`]; methods as there.
pub trait AnyStage: Send + Sync {
    /// Shortest specification that makes it again.
    fn spec(&self) -> String;
    /// Whole configuration, keys sorted.
    fn config(&self) -> Map<String, Value>;
    /// Packs; the result may be longer.
    fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String>;
    /// Unpacks into at most `limit` bytes.
    fn unpack(&self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String>;
}

impl<S: Stage> AnyStage for S {
    fn spec(&self) -> String {
        spec::canonical(S::INFO.id, &spec::to_map(Stage::config(self)), &spec::to_map(&S::Config::default()), S::PARAMETERS)
    }

    fn config(&self) -> Map<String, Value> {
        spec::to_map(Stage::config(self))
    }

    fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        Stage::pack(self, bytes)
    }

    fn unpack(&self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        Stage::unpack(self, bytes, limit)
    }
}

/// Makes a stage from its configuration.
type Build = fn(Map<String, Value>) -> Result<Box<dyn AnyStage>, SpecError>;

/// A stage's place in the list of stages.
#[derive(Debug, Clone, Copy)]
pub struct StageEntry {
    /// Identity.
    pub info: StageInfo,
    /// Parameters, in order.
    pub parameters: &'static [Parameter],
    build: Build,
    default: fn() -> Map<String, Value>,
}

impl StageEntry {
    /// The entry of a stage.
    pub const fn of<S: Stage>() -> Self {
        Self { info: S::INFO, parameters: S::PARAMETERS, build: build::<S>, default: || spec::to_map(&S::Config::default()) }
    }

    /// The stage with this configuration; keys that are not given take their defaults.
    pub fn build(&self, config: Map<String, Value>) -> Result<Box<dyn AnyStage>, SpecError> {
        (self.build)(config)
    }

    /// Default configuration.
    pub fn default_config(&self) -> Map<String, Value> {
        (self.default)()
    }
}

fn build<S: Stage>(config: Map<String, Value>) -> Result<Box<dyn AnyStage>, SpecError> {
    let owner = || Owner::Stage(S::INFO.id.to_owned());
    let stage = S::new(spec::typed(owner, S::PARAMETERS, config)?);
    Ok(Box::new(stage.map_err(|message| SpecError::BadValue { owner: owner(), message })?))
}

/// A stage from a specification such as `zstd:level=9`.
pub fn parse_stage(text: &str) -> Result<Box<dyn AnyStage>, SpecError> {
    let (id, config) = spec::parse(text)?;
    stage_entry(id)?.build(config)
}

/// The entry of the stage of that name.
pub fn stage_entry(id: &str) -> Result<&'static StageEntry, SpecError> {
    let unknown = || SpecError::UnknownStage { stage: id.to_owned(), known: spec::listed(STAGES.iter().map(|s| s.info.id)) };
    STAGES.iter().find(|s| s.info.id == id).ok_or_else(unknown)
}
