//! Registry: which kernels there are, and kernels from specifications.

use std::path::Path;

use serde_json::{Map, Value};

use crate::entry::{Entry, Migration};
use crate::error::{FileError, SpecError};
use crate::kernel::AnyKernel;
use crate::kernels;
use crate::pipeline::definition::{Definition, Form};
use crate::pipeline::{self, Pipeline, presets};
use crate::spec;

/// A kernel made from what someone wrote, and what had to be brought up to date for it.
#[derive(Debug)]
pub struct Resolved {
    /// The kernel.
    pub kernel: Box<dyn AnyKernel>,
    /// Configurations of older versions in it.
    pub migrations: Vec<Migration>,
}

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
        self.entries
            .iter()
            .find(|e| e.info.id == id)
            .ok_or_else(|| SpecError::UnknownKernel { kernel: id.to_owned(), known: spec::listed(self.entries.iter().map(|e| e.info.id)) })
    }

    /// A kernel from a specification such as `int4:group=64`, a pipeline such as `hyper-lattice|entropy`, a preset such as
    /// `preset:balanced`, or a definition in JSON (see [`definition`](crate::pipeline::definition)).
    pub fn parse(&self, text: &str) -> Result<Box<dyn AnyKernel>, SpecError> {
        self.resolve(text).map(|resolved| resolved.kernel)
    }

    /// As [`Registry::parse`], with what was migrated.
    pub fn resolve(&self, text: &str) -> Result<Resolved, SpecError> {
        if text.trim_start().starts_with('{') {
            return Definition::parse(text, Form::Json, None)?.build(self);
        }
        let mut links = text.split('|');
        let first = links.next().unwrap_or_default();
        if let Some(id) = first.strip_prefix(presets::PREFIX) {
            return presets::preset(id)?.build(self, &links.collect::<Vec<_>>());
        }
        if first.starts_with("mixed:") {
            return Err(SpecError::NotAtHand { spec: text.to_owned() });
        }
        let (id, config) = spec::parse(first)?;
        let kernel = Self::with_stages(self.entry(id)?.build(config)?, links)?;
        Ok(Resolved { kernel, migrations: Vec::new() })
    }

    /// The kernel that a definition file defines.
    pub fn read(&self, path: &Path) -> Result<Resolved, FileError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| FileError::Io { action: "read", path: path.to_owned(), source })?;
        let stem = path.file_stem().map(|s| s.to_string_lossy());
        let resolved = Definition::parse(&text, Form::of(path), stem.as_deref()).and_then(|d| d.build(self));
        resolved.map_err(|source| FileError::Spec { path: path.to_owned(), source })
    }

    /// A kernel as an artifact records it, with its stages, and what was migrated.
    pub fn recorded(
        &self,
        id: &str,
        version: u32,
        config: Map<String, Value>,
        stages: &[String],
    ) -> Result<(Box<dyn AnyKernel>, Option<Migration>), SpecError> {
        let (kernel, migration) = self.entry(id)?.build_versioned(version, config)?;
        Ok((Self::with_stages(kernel, stages.iter().map(String::as_str))?, migration))
    }

    /// The kernel with these stages behind it.
    pub(crate) fn with_stages<'a>(
        kernel: Box<dyn AnyKernel>,
        stages: impl Iterator<Item = &'a str>,
    ) -> Result<Box<dyn AnyKernel>, SpecError> {
        let stages = stages.map(pipeline::parse_stage).collect::<Result<Vec<_>, _>>()?;
        Ok(if stages.is_empty() { kernel } else { Box::new(Pipeline::new(kernel, stages)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::VARIANTS;
    use crate::pipeline::STAGES;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn ids_are_unique_and_well_formed() {
        let registry = Registry::default();
        let ids: BTreeSet<&str> = registry.entries().iter().map(|e| e.info.id).collect();
        assert_eq!(ids.len(), registry.entries().len());
        for id in ids {
            // Kebab case; the underscore only where a format's own name has it, as in `q8_0`.
            let well_formed = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(id.starts_with(|c: char| c.is_ascii_lowercase()) && id.split(['-', '_']).all(well_formed), "{id}");
        }
    }

    #[test]
    fn everything_is_documented() {
        for entry in Registry::default().entries() {
            let info = entry.info;
            assert!(info.version >= 1, "{}", info.id);
            assert!(!info.summary.is_empty() && !info.summary.ends_with('.') && !info.source.is_empty(), "{}", info.id);
            for parameter in entry.parameters {
                assert!(!parameter.doc.is_empty() && !parameter.values.is_empty(), "{}:{}", info.id, parameter.name);
            }
        }
    }

    #[test]
    fn parameters_are_the_keys_of_the_configuration() {
        for entry in Registry::default().entries() {
            let parameters: BTreeSet<&str> = entry.parameters.iter().map(|p| p.name).collect();
            let config = entry.default_config();
            assert_eq!(parameters, config.keys().map(String::as_str).collect(), "{}", entry.info.id);
            assert_eq!(parameters.len(), entry.parameters.len(), "{}", entry.info.id);
        }
    }

    #[test]
    fn the_default_configuration_has_the_bare_name() {
        for entry in Registry::default().entries() {
            assert_eq!(entry.build(Map::new()).unwrap().spec(), entry.info.id);
            assert_eq!(entry.build(entry.default_config()).unwrap().spec(), entry.info.id);
        }
    }

    #[test]
    fn every_parameter_has_variants_and_they_round_trip() {
        let registry = Registry::default();
        for entry in registry.entries() {
            for parameter in entry.parameters {
                let varied = VARIANTS
                    .iter()
                    .any(|spec| spec::parse(spec).is_ok_and(|(id, map)| id == entry.info.id && map.contains_key(parameter.name)));
                assert!(varied, "no variant of '{}' sets '{}'", entry.info.id, parameter.name);
            }
        }
        let levels = (1..=19).map(|level| format!("zstd:level={level}"));
        let groups = [32, 64, 128].map(|group| format!("int4:group={group}"));
        let packings = ["i2_s", "tq1_0", "tq2_0", "tl2"].map(|packing| format!("bitnet:packing={packing}"));
        for text in VARIANTS.iter().map(|&s| s.to_owned()).chain(levels).chain(groups).chain(packings) {
            let kernel = registry.parse(&text).unwrap();
            let again = registry.parse(&kernel.spec()).unwrap();
            assert_eq!(again.config(), kernel.config(), "{text}");
            assert_eq!(again.spec(), kernel.spec(), "{text}");
            let (recorded, migration) = registry.recorded(kernel.info().id, kernel.info().version, kernel.config(), &[]).unwrap();
            assert_eq!((recorded.spec(), migration), (kernel.spec(), None), "{text}");
        }
        assert!(VARIANTS.iter().all(|&spec| registry.parse(spec).unwrap().spec() == spec));
    }

    #[test]
    fn values_out_of_range_say_what_is_allowed() {
        for (text, expected) in [
            ("int4:group=7", "kernel 'int4': group is 7; it must be 32, 64 or 128"),
            ("int4:size=7", "kernel 'int4' has no parameter 'size'; its parameters: group"),
            ("bitnet:packing=tl3", "kernel 'bitnet': unknown variant `tl3`, expected one of `i2_s`, `tq1_0`, `tq2_0`, `tl2`"),
            ("q8_0:x=1", "kernel 'q8_0' has no parameter 'x'; its parameters: none"),
        ] {
            assert_eq!(Registry::default().parse(text).err().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn no_kernel_has_the_name_of_what_is_no_kernel() {
        for entry in Registry::default().entries() {
            assert!(!["preset", "mixed"].contains(&entry.info.id));
        }
    }

    #[test]
    fn stages_are_documented_and_their_parameters_are_the_keys_of_their_configuration() {
        for stage in STAGES {
            let info = stage.info;
            assert!(!info.summary.is_empty() && !info.summary.ends_with('.') && !info.source.is_empty(), "{}", info.id);
            assert!(stage.parameters.iter().all(|p| !p.doc.is_empty() && !p.values.is_empty()), "{}", info.id);
            let parameters: BTreeSet<&str> = stage.parameters.iter().map(|p| p.name).collect();
            assert_eq!(parameters, stage.default_config().keys().map(String::as_str).collect(), "{}", info.id);
            assert_eq!(stage.build(Map::new()).unwrap().spec(), info.id);
            assert_eq!(stage.build(stage.default_config()).unwrap().spec(), info.id);
        }
    }

    #[test]
    fn presets_and_files_are_told_from_kernels() {
        let refusal = |text: &str| Registry::default().resolve(text).unwrap_err().to_string();
        assert_eq!(refusal("preset:best"), "unknown preset 'best'; known presets: fast, balanced, quality");
        assert_eq!(refusal("preset:fast|lzma"), "unknown stage 'lzma'; known stages: entropy, zstd");
        assert_eq!(
            refusal("mixed:gpt@0a1b2c3d"),
            "'mixed:gpt@0a1b2c3d' names a mixed pipeline that stands in a file; give the file, as '@FILE'"
        );
        assert!(refusal("@gpt.toml").starts_with("cannot read kernel specification '@gpt.toml'"));
        assert!(refusal("{}").starts_with("it has neither 'kernel'"));
        assert_eq!(refusal("int4:group=32,group=64"), "'int4:group=32,group=64' gives parameter 'group' twice");
    }

    /// What implements the trait in src/kernels, by itself or as a block format, is registered, and nothing else is.
    #[test]
    fn every_kernel_is_registered() {
        let ids: BTreeSet<String> = Registry::default().entries().iter().map(|e| e.info.id.to_owned()).collect();
        let mut found = BTreeSet::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels")];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let implements = |line: &&str| line.starts_with("impl Kernel for ") || line.starts_with("impl BlockFormat<");
                let declared =
                    text.lines().filter_map(|line| line.trim().strip_prefix("id: \"")).filter_map(|rest| rest.strip_suffix("\","));
                let declared: Vec<String> = declared.map(str::to_owned).collect();
                assert_eq!(declared.len(), text.lines().filter(implements).count(), "{}", path.display());
                found.extend(declared);
            }
        }
        assert_eq!(found, ids);
    }
}
