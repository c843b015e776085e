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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::VARIANTS;
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
        let packings = ["i2_s", "tq1_0", "tq2_0"].map(|packing| format!("bitnet:packing={packing}"));
        for text in VARIANTS.iter().map(|&s| s.to_owned()).chain(levels).chain(groups).chain(packings) {
            let kernel = registry.parse(&text).unwrap();
            let again = registry.parse(&kernel.spec()).unwrap();
            assert_eq!(again.config(), kernel.config(), "{text}");
            assert_eq!(again.spec(), kernel.spec(), "{text}");
            let recorded = registry.recorded(kernel.info().id, kernel.info().version, kernel.config()).unwrap();
            assert_eq!(recorded.spec(), kernel.spec(), "{text}");
        }
        assert!(VARIANTS.iter().all(|&spec| registry.parse(spec).unwrap().spec() == spec));
    }

    #[test]
    fn values_out_of_range_say_what_is_allowed() {
        for (text, expected) in [
            ("int4:group=7", "kernel 'int4': group is 7; it must be 32, 64 or 128"),
            ("int4:size=7", "kernel 'int4' has no parameter 'size'; its parameters: group"),
            ("bitnet:packing=tl2", "kernel 'bitnet': unknown variant `tl2`, expected one of `i2_s`, `tq1_0`, `tq2_0`"),
            ("q8_0:x=1", "kernel 'q8_0' has no parameter 'x'; its parameters: none"),
        ] {
            assert_eq!(Registry::default().parse(text).err().unwrap().to_string(), expected);
        }
    }

    /// Every file in src/kernels, or `mod.rs` of a folder there, that implements the trait has each of its kernels registered, and the others are the known shared ones.
    #[test]
    fn every_file_is_registered() {
        let ids: BTreeSet<String> = Registry::default().entries().iter().map(|e| e.info.id.to_owned()).collect();
        let mut found = BTreeSet::new();
        for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels")).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(if path.is_dir() { path.join("mod.rs") } else { path }).unwrap();
            let kernels = text.lines().filter(|line| line.starts_with("impl Kernel for ")).count();
            let declared = text.lines().filter_map(|line| line.trim().strip_prefix("id: \"")).filter_map(|rest| rest.strip_suffix("\","));
            let declared: Vec<String> = declared.map(str::to_owned).collect();
            assert_eq!(declared.len(), kernels, "{name}");
            assert!(
                kernels > 0 || ["mod.rs", "blocks.rs", "rows.rs", "scale.rs", "ternary.rs", "testing.rs"].contains(&name.as_str()),
                "{name}"
            );
            found.extend(declared);
        }
        assert_eq!(found, ids);
    }
}
