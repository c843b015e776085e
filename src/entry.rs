//! A kernel's place in a registry: what is known of it before it has a configuration, and how it is made from one.

use serde_json::{Map, Value};

use crate::error::{Owner, SpecError};
use crate::kernel::{AnyKernel, Info, Kernel};
use crate::spec::{self, Parameter};

/// Makes a kernel from its configuration.
type Build = fn(Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError>;
/// Brings a configuration of an older version up to date, with a note.
type Migrate = fn(u32, Map<String, Value>) -> (Map<String, Value>, Option<String>);

/// A configuration that was written for an older version of its kernel and brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The kernel.
    pub kernel: String,
    /// Version the configuration was written for.
    pub from: u32,
    /// Version it was brought to, the current one.
    pub to: u32,
    /// What changed, in the kernel's words.
    pub change: String,
}

impl std::fmt::Display for Migration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kernel, from, to, change } = self;
        write!(f, "configuration of kernel '{kernel}' brought from version {from} to {to}: {change}")
    }
}

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
        Self {
            info: K::INFO,
            parameters: K::PARAMETERS,
            build: build::<K>,
            migrate: K::migrate,
            default: || spec::to_map(&K::Config::default()),
        }
    }

    /// The kernel with this configuration; keys that are not given take their defaults.
    pub fn build(&self, config: Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError> {
        (self.build)(config)
    }

    /// The kernel for a configuration written for `version` of this kernel, and what was migrated.
    pub fn build_versioned(&self, version: u32, config: Map<String, Value>) -> Result<(Box<dyn AnyKernel>, Option<Migration>), SpecError> {
        let Info { id, version: newest, .. } = self.info;
        if !(1..=newest).contains(&version) {
            return Err(SpecError::UnknownVersion { kernel: id.to_owned(), version, newest });
        }
        if version == newest {
            return Ok((self.build(config)?, None));
        }
        let (config, change) = (self.migrate)(version, config);
        let migration = change.map(|change| Migration { kernel: id.to_owned(), from: version, to: newest, change });
        Ok((self.build(config)?, migration))
    }

    /// Default configuration.
    pub fn default_config(&self) -> Map<String, Value> {
        (self.default)()
    }
}

fn build<K: Kernel>(config: Map<String, Value>) -> Result<Box<dyn AnyKernel>, SpecError> {
    let owner = || Owner::Kernel(K::INFO.id.to_owned());
    let kernel = K::new(spec::typed(owner, K::PARAMETERS, config)?);
    Ok(Box::new(kernel.map_err(|message| SpecError::BadValue { owner: owner(), message })?))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::error::{DecodeError, Refusal};
    use crate::kernel::{Context, Parts, Promise};
    use crate::registry::Registry;
    use crate::weights::{TensorInfo, Weights};

    /// A kernel whose version 1 called its one parameter `block`, and whose version 2 said what version 3 says.
    struct Renamed(Config);

    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    struct Config {
        group: usize,
    }

    impl Kernel for Renamed {
        const INFO: Info = Info { id: "renamed", version: 3, summary: "a test", source: "none", lossless: true };
        const PARAMETERS: &'static [Parameter] = &[Parameter { name: "group", doc: "a number", values: "any" }];
        type Config = Config;

        fn new(config: Config) -> Result<Self, String> {
            Ok(Self(config))
        }
        fn config(&self) -> &Config {
            &self.0
        }
        fn encode(&self, _: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
            Err(Refusal::new("a test"))
        }
        fn decode(&self, _: &Parts, _: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
            Err(DecodeError::corrupt("", "a test"))
        }
        fn promise(&self, _: &Weights) -> Promise {
            Promise::Exact
        }
        fn migrate(version: u32, mut config: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
            assert!((1..3).contains(&version), "the current version needs no migration");
            let block = if version == 1 { config.remove("block") } else { None };
            let Some(block) = block else { return (config, None) };
            config.insert("group".to_owned(), block);
            (config, Some("'block' is called 'group' now".to_owned()))
        }
    }

    const REGISTRY: Registry = Registry::over(&[Entry::of::<Renamed>()]);

    fn built(version: u32, config: Value) -> Result<(String, Option<String>), String> {
        let built = REGISTRY.recorded("renamed", version, config.as_object().unwrap().clone(), &[]);
        built.map(|(kernel, migration)| (kernel.spec(), migration.map(|m| m.to_string()))).map_err(|e| e.to_string())
    }

    #[test]
    fn older_configurations_are_migrated_with_a_note() {
        let note = "configuration of kernel 'renamed' brought from version 1 to 3: 'block' is called 'group' now";
        assert_eq!(built(1, json!({"block": 64})), Ok(("renamed:group=64".to_owned(), Some(note.to_owned()))));
        assert_eq!(built(1, json!({})), Ok(("renamed".to_owned(), None)), "nothing changed, nothing is said");
        assert_eq!(built(2, json!({"group": 64})), Ok(("renamed:group=64".to_owned(), None)));
        assert_eq!(built(3, json!({"group": 64})), Ok(("renamed:group=64".to_owned(), None)));
    }

    #[test]
    fn a_version_says_which_keys_there_are() {
        let unknown = Err("kernel 'renamed' has no parameter 'block'; its parameters: group".to_owned());
        assert_eq!(built(2, json!({"block": 64})), unknown);
        assert_eq!(built(3, json!({"block": 64})), unknown);
        for version in [0, 4] {
            let expected = format!("kernel 'renamed' has no version {version}; this release knows versions 1 to 3");
            assert_eq!(built(version, json!({})), Err(expected));
        }
    }

    #[test]
    fn rules_that_migrate_in_the_same_way_are_told_once() {
        let text = r#"{"version":1,"name":"m","default":{"kernel":"renamed:block=8","version":1},"rule":[
            {"tensors":"a","kernel":"renamed:block=8","version":1},
            {"tensors":"b","kernel":"renamed:group=8"}]}"#;
        let resolved = REGISTRY.resolve(text).unwrap();
        assert_eq!(resolved.migrations.len(), 1, "{:?}", resolved.migrations);
        assert!(resolved.kernel.mixed().unwrap().rules().iter().all(|rule| rule.kernel.spec() == "renamed:group=8"));
        // What workers are told is current: the note is not printed again by each of them.
        assert_eq!(REGISTRY.resolve(&resolved.kernel.text()).unwrap().migrations, []);
    }
}
