//! Registry: which kernels there are, and kernels from specifications.

use serde_json::{Map, Value};

use crate::error::SpecError;
use crate::kernel::{AnyKernel, Entry};
use crate::kernels;
use crate::spec;

/// A set of kernels to choose from.
#[derive(Debug, Clone, Copy)]
pub struct Registry {
    entries: &'static [Entry],
}

impl Default for Registry {
    fn default() -> Self {
        Self { entries: kernels::ENTRIES }
    }
}

impl Registry {
    /// A registry over other entries than the built-in ones.
    pub const fn over(entries: &'static [Entry]) -> Self {
        Self { entries }
    }

    /// All entries, in the order of the registry.
    pub fn entries(&self) -> &'static [Entry] {
        self.entries
    }

    /// The entry of that name.
    pub fn entry(&self, id: &str) -> Result<&'static Entry, SpecError> {
        self.entries.iter().find(|e| e.info.id == id).ok_or_else(|| SpecError::UnknownKernel {
            kernel: id.to_owned(),
            known: self.entries.iter().map(|e| e.info.id).collect::<Vec<_>>().join(", "),
        })
    }

    /// A kernel from a specification such as `int4:group=64`.
    pub fn parse(&self, text: &str) -> Result<Box<dyn AnyKernel>, SpecError> {
        let (id, config) = spec::parse(text)?;
        self.entry(id)?.build(config)
    }

    /// A kernel as an artifact records it.
    pub fn recorded(&self, id: &str, version: u32, config: Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError> {
        Ok(self.entry(id)?.build_versioned(version, config)?.0)
    }
}
