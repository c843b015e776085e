//! Definition files: a kernel with its configuration and its version, or a mixed pipeline, in TOML or JSON.
//!
//! A kernel stands there as artifacts record it:
//!
//! ```toml
//! kernel = "int4"        # or a pipeline, "int4|zstd"
//! version = 1            # of the kernel's configuration; older ones are migrated. Without it: the current one
//! [config]               # needs a version; parameters may stand behind the kernel's name instead, "int4:group=64"
//! group = 64
//! ```
//!
//! A mixed pipeline has a default and rules in order; the first rule with a glob that matches a tensor's name takes the tensor, and a kernel
//! in a rule or in the default may have `version`, `config` and `stages`, too:
//!
//! ```toml
//! version = 1            # of this form
//! default.kernel = "q4_k"
//! [[rule]]
//! tensors = "*.attn.*"   # or several, ["*.attn.*", "*.self_attn.*"]
//! kernel = "q6_k"
//! ```
//!
//! `name` (by default the file's own, without its ending) and `summary` are for people. Unknown keys are refused.

use std::fmt;
use std::path::Path;

use serde::de::{self, DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::mixed::{Mixed, Origin, Rule};
use crate::entry::Migration;
use crate::error::SpecError;
use crate::kernel::AnyKernel;
use crate::registry::{Registry, Resolved};
use crate::spec;

/// Version of the form of a mixed pipeline.
pub const VERSION: u32 = 1;

/// How a definition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// TOML.
    Toml,
    /// JSON.
    Json,
}

impl Form {
    /// JSON where the file's name ends in `.json`, else TOML.
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) { Self::Json } else { Self::Toml }
    }

    fn read<T: DeserializeOwned>(self, text: &str) -> Result<T, SpecError> {
        let read = match self {
            Self::Toml => toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned()),
            Self::Json => serde_json::from_str(text).map_err(|e| e.to_string()),
        };
        read.map_err(|message| SpecError::Definition { message })
    }
}

fn wrong(message: impl Into<String>) -> SpecError {
    SpecError::Definition { message: message.into() }
}

/// A kernel as files write it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Codec {
    /// Specification of a kernel or of a kernel with stages.
    kernel: String,
    /// Version of the kernel that the parameters are written for.
    #[serde(default)]
    version: Option<u32>,
    /// Parameters, where they do not stand in the specification.
    #[serde(default)]
    config: Option<Map<String, Value>>,
    /// Stages, behind those of the specification.
    #[serde(default)]
    stages: Vec<String>,
}

impl Codec {
    /// The kernel, with stages of its own and then those `behind` it.
    fn build(&self, registry: &Registry, behind: &[&str]) -> Result<(Box<dyn AnyKernel>, Option<Migration>), SpecError> {
        let mut links = self.kernel.split('|');
        let first = links.next().unwrap_or_default();
        if ["preset:", "mixed:", "@", "{"].iter().any(|start| first.starts_with(start)) {
            return Err(wrong(format!("'{first}' cannot stand in a file; write a kernel, or a kernel with stages such as 'q4_k|zstd'")));
        }
        let (id, given) = spec::parse(first)?;
        let entry = registry.entry(id)?;
        let newest = entry.info.version;
        let config = match (&self.config, self.version) {
            (None, _) => given,
            (Some(_), None) => {
                let message =
                    format!("'config' needs 'version' beside it, the version of kernel '{id}' it is written for; {newest} is current");
                return Err(wrong(message));
            }
            (Some(_), Some(_)) if !given.is_empty() => {
                return Err(wrong(format!("'{first}' and 'config' both give parameters; write them in one place")));
            }
            (Some(config), Some(_)) => config.clone(),
        };
        let (kernel, migration) = entry.build_versioned(self.version.unwrap_or(newest), config)?;
        let stages = links.chain(self.stages.iter().map(String::as_str)).chain(behind.iter().copied());
        Ok((Registry::with_stages(kernel, stages)?, migration))
    }
}

/// Globs of a rule: one, or a list.
#[derive(Debug, Clone, PartialEq)]
struct Globs(Vec<String>);

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Globs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a glob such as \"*.attn.*\", or a list of globs")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Globs, E> {
                Ok(Globs(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Globs, A::Error> {
                let mut globs = Vec::new();
                while let Some(glob) = list.next_element()? {
                    globs.push(glob);
                }
                Ok(Globs(globs))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireRule {
    tensors: Globs,
    kernel: String,
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    config: Option<Map<String, Value>>,
    #[serde(default)]
    stages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireMixed {
    version: u32,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    default: Codec,
    rule: Vec<WireRule>,
}

/// A mixed pipeline as files write it.
#[derive(Debug, Clone, PartialEq)]
pub struct MixedDefinition {
    name: String,
    summary: String,
    default: Codec,
    rules: Vec<(Vec<String>, Codec)>,
}

/// What a definition file defines.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// One kernel, with or without stages.
    Kernel(Codec),
    /// A mixed pipeline.
    Mixed(MixedDefinition),
}

impl Definition {
    /// Reads a definition; `name` is what it is called where it does not say so itself.
    pub fn parse(text: &str, form: Form, name: Option<&str>) -> Result<Self, SpecError> {
        let keys: Map<String, Value> = form.read(text)?;
        if keys.contains_key("rule") || keys.contains_key("default") {
            return MixedDefinition::of(text, form, name, keys.get("version")).map(Self::Mixed);
        }
        if keys.contains_key("kernel") {
            return form.read(text).map(Self::Kernel);
        }
        Err(wrong("it has neither 'kernel', for one kernel, nor 'default' and '[[rule]]', for a mixed pipeline"))
    }

    /// The kernel it defines.
    pub fn build(&self, registry: &Registry) -> Result<Resolved, SpecError> {
        match self {
            Self::Kernel(codec) => {
                let (kernel, migration) = codec.build(registry, &[])?;
                Ok(Resolved { kernel, migrations: migration.into_iter().collect() })
            }
            Self::Mixed(definition) => definition.build(Origin::File(definition.name.clone()), registry, &[]),
        }
    }
}

impl MixedDefinition {
    fn of(text: &str, form: Form, name: Option<&str>, version: Option<&Value>) -> Result<Self, SpecError> {
        // Before all else: a later form may have keys that this one does not know.
        match version {
            None => return Err(wrong(format!("key 'version' is missing; write 'version = {VERSION}', the form of this file"))),
            Some(found) if found.as_u64().is_some_and(|v| v != u64::from(VERSION)) => {
                return Err(wrong(format!("it has version {found}; this release reads version {VERSION}")));
            }
            Some(_) => {}
        }
        let wire: WireMixed = form.read(text)?;
        let name = wire.name.as_deref().or(name).ok_or_else(|| wrong("key 'name' is missing"))?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(wrong(format!(
                "'{name}' is no name for a mixed pipeline; write 'name' with letters, digits, '-', '_' and '.' only"
            )));
        }
        if wire.rule.is_empty() {
            return Err(wrong("it has no '[[rule]]'; for one kernel on every tensor write 'kernel' instead of 'default'"));
        }
        let rule = |r: WireRule| (r.tensors.0, Codec { kernel: r.kernel, version: r.version, config: r.config, stages: r.stages });
        Ok(Self {
            name: name.to_owned(),
            summary: wire.summary.unwrap_or_default(),
            default: wire.default,
            rules: wire.rule.into_iter().map(rule).collect(),
        })
    }

    /// One line on what it is for; empty where it does not say.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The pipeline, with stages `behind` each of its kernels.
    pub fn build(&self, origin: Origin, registry: &Registry, behind: &[&str]) -> Result<Resolved, SpecError> {
        let mut migrations: Vec<Migration> = Vec::new();
        let mut build = |which: String, codec: &Codec| {
            let built = codec.build(registry, behind);
            let (kernel, migration) = built.map_err(|source| SpecError::Rule { rule: which, source: Box::new(source) })?;
            // Rules that say the same of the same kernel are one thing to be told of.
            migrations.extend(migration.filter(|m| !migrations.contains(m)));
            Ok(kernel)
        };
        let mut rules = Vec::new();
        for (i, (globs, codec)) in self.rules.iter().enumerate() {
            let kernel = build(Rule::label(i, globs), codec)?;
            rules.push(Rule { globs: globs.clone(), kernel });
        }
        let default = build("the default".to_owned(), &self.default)?;
        let kernel = Box::new(Mixed::new(origin, self.summary.clone(), rules, default)?);
        Ok(Resolved { kernel, migrations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(text: &str, form: Form) -> Result<Resolved, SpecError> {
        Definition::parse(text, form, Some("mine"))?.build(&Registry::default())
    }

    fn spec(toml: &str) -> String {
        build(toml, Form::Toml).unwrap().kernel.spec()
    }

    fn refusal(toml: &str) -> String {
        build(toml, Form::Toml).unwrap_err().to_string()
    }

    const MIXED: &str = "version = 1\ndefault.kernel = \"q4_k\"\n[[rule]]\ntensors = \"*.attn.*\"\nkernel = \"q6_k\"\n";

    #[test]
    fn one_kernel_in_all_its_forms() {
        for toml in [
            "kernel = \"int4:group=64|zstd:level=9\"",
            "kernel = \"int4:group=64\"\nversion = 1\nstages = [\"zstd:level=9\"]",
            "kernel = \"int4|zstd:level=9\"\nversion = 1\n[config]\ngroup = 64",
        ] {
            assert_eq!(spec(toml), "int4:group=64|zstd:level=9", "{toml}");
        }
        assert_eq!(spec("kernel = \"int4\""), "int4");
        assert_eq!(spec("kernel = \"vptq\"\nversion = 1\nconfig = { permute = true, seed = 7 }"), "vptq:permute=true,seed=7");
    }

    #[test]
    fn toml_and_json_say_the_same_and_comments_say_nothing() {
        let json = r#"{"rule": [{"kernel": "q6_k", "tensors": ["*.attn.*"]}], "default": {"version": 1, "kernel": "q4_k"}, "version": 1}"#;
        let commented = MIXED.replace("version", "# why\nsummary = \"for people\"\nversion");
        let specs = [spec(MIXED), spec(&commented), build(json, Form::Json).unwrap().kernel.spec()];
        assert!(specs[0].starts_with("mixed:mine@"), "{}", specs[0]);
        assert!(specs.iter().all(|s| *s == specs[0]), "{specs:?}");
        let named = spec(&MIXED.replace("version", "name = \"other\"\nversion"));
        assert_eq!(named, specs[0].replace("mine", "other"), "a name of its own goes before that of the file");
    }

    #[test]
    fn what_is_wrong_is_named_and_so_is_what_to_do() {
        let cases = [
            (
                "kernel = \"int4\"\nconfig = { group = 64 }",
                "'config' needs 'version' beside it, the version of kernel 'int4' it is written for; 1 is current",
            ),
            (
                "kernel = \"int4:group=32\"\nversion = 1\nconfig = { group = 64 }",
                "'int4:group=32' and 'config' both give parameters; write them in one place",
            ),
            ("kernel = \"int4\"\nversion = 2", "kernel 'int4' has no version 2; this release knows versions 1 to 1"),
            ("kernel = \"int4\"\nversion = 0", "kernel 'int4' has no version 0; this release knows versions 1 to 1"),
            ("kernel = \"int4\"\nversion = 1\nconfig = { size = 64 }", "kernel 'int4' has no parameter 'size'; its parameters: group"),
            (
                "kernel = \"int4\"\nversion = 1\nconfig = { group = \"wide\" }",
                "kernel 'int4': invalid type: string \"wide\", expected usize",
            ),
            ("kernel = \"int4\"\nversion = 1\nconfig = { group = 7 }", "kernel 'int4': group is 7; it must be 32, 64 or 128"),
            ("kernel = \"int4\"\nstages = [\"lzma\"]", "unknown stage 'lzma'; known stages: entropy, zstd"),
            ("kernel = \"int4|zstd:level=0\"", "stage 'zstd': level is 0; it must be 1 to 19"),
            (
                "kernel = \"preset:fast\"",
                "'preset:fast' cannot stand in a file; write a kernel, or a kernel with stages such as 'q4_k|zstd'",
            ),
            ("colour = 1", "it has neither 'kernel', for one kernel, nor 'default' and '[[rule]]', for a mixed pipeline"),
            (
                "version = 1\ndefault.kernel = \"q4_k\"\nrule = []",
                "it has no '[[rule]]'; for one kernel on every tensor write 'kernel' instead of 'default'",
            ),
        ];
        for (toml, expected) in cases {
            assert_eq!(refusal(toml), expected, "{toml}");
        }
        for (from, to, expected) in [
            ("version = 1", "", "key 'version' is missing; write 'version = 1', the form of this file"),
            ("version = 1", "version = 2\nnew-key = 1", "it has version 2; this release reads version 1"),
            ("\"q6_k\"", "\"q7_k\"", "rule 1 ('*.attn.*'): unknown kernel 'q7_k'; known kernels: f32-raw, "),
            ("\"q6_k\"", "\"preset:fast\"", "rule 1 ('*.attn.*'): 'preset:fast' cannot stand in a file"),
            ("\"q4_k\"", "\"mixed:x@00\"", "the default: 'mixed:x@00' cannot stand in a file"),
            ("\"q4_k\"", "\"q4_k:x=1\"", "the default: kernel 'q4_k' has no parameter 'x'; its parameters: none"),
            ("\"*.attn.*\"", "[]", "rule 1 (): 'tensors' is empty; give it a glob, or leave the rule out"),
            (
                "version = 1",
                "version = 1\nname = \"a b\"",
                "'a b' is no name for a mixed pipeline; write 'name' with letters, digits, '-', '_' and '.' only",
            ),
        ] {
            assert!(MIXED.contains(from));
            let found = refusal(&MIXED.replace(from, to));
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn unknown_and_missing_keys_are_named_with_their_place() {
        for (from, to, wanted) in [
            ("tensors", "tensor", &["line 4", "unknown field `tensor`", "`tensors`"][..]),
            ("kernel = \"q6_k\"", "kernel = \"q6_k\"\nkernal = \"q6_k\"", &["unknown field `kernal`", "`kernel`"]),
            ("kernel = \"q6_k\"", "", &["missing field `kernel`"]),
            ("default.kernel = \"q4_k\"", "", &["missing field `default`"]),
            ("default.kernel", "default.kernels", &["line 2", "unknown field `kernels`"]),
            ("version = 1", "version = 1\nkernel = \"int8\"", &["unknown field `kernel`", "`default`"]),
            ("[[rule]]", "[[rules]]", &["unknown field `rules`", "`rule`"]),
            ("\"*.attn.*\"", "7", &["invalid type: integer `7`, expected a glob such as \"*.attn.*\", or a list of globs"]),
            ("version = 1", "version = one", &["line 1"]),
        ] {
            let found = refusal(&MIXED.replace(from, to));
            assert!(wanted.iter().all(|w| found.contains(w)), "{from} -> {to}: {found}");
        }
        assert!(refusal("kernel = \"int8\"\ncolour = 1").contains("unknown field `colour`"));
        let json = build(r#"{"version":1,"default":{"kernel":"int8"},"rule":[{"tensors":"a","kernel":"int8"}],"x":1}"#, Form::Json);
        assert!(json.unwrap_err().to_string().contains("unknown field `x`"));
        let nameless = Definition::parse(MIXED, Form::Toml, None).unwrap_err();
        assert_eq!(nameless.to_string(), "key 'name' is missing");
    }

    #[test]
    fn files_are_json_by_their_ending_and_named_in_errors() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let registry = Registry::default();
        let json = write("a.JSON", "{\"kernel\": \"int4\", \"version\": 1, \"config\": {\"group\": 32}}");
        assert_eq!(registry.read(&json).unwrap().kernel.spec(), "int4:group=32");
        let toml = write("my.mix.toml", MIXED);
        assert!(registry.read(&toml).unwrap().kernel.spec().starts_with("mixed:my.mix@"));
        let wrong = registry.read(&write("wrong.toml", "kernel = \"int5\"")).unwrap_err().to_string();
        assert!(wrong.contains("wrong.toml': unknown kernel 'int5'"), "{wrong}");
        let spaced = registry.read(&write("my mix.toml", MIXED)).unwrap_err().to_string();
        assert!(spaced.contains("'my mix' is no name"), "{spaced}");
        let gone = registry.read(&folder.path().join("gone.toml")).unwrap_err().to_string();
        assert!(gone.contains("cannot read") && gone.contains("gone.toml"), "{gone}");
    }
}
