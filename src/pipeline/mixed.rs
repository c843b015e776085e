//! Mixed pipelines: each tensor of a model is packed by the kernel that the first matching rule names, or by the default.
//!
//! Rules go by globs over tensor names: `*` stands for any characters, `.` and `/` among them, `?` for one, `[ab]` and `{a,b}` for either.
//! An artifact records for each tensor the kernel that took it, so rules are not needed to decode. A mixed pipeline is named by what it
//! comes from: `preset:balanced`, or for a file `mixed:NAME@DIGEST`, where the digest changes with what the rules say and with nothing else.

use std::collections::BTreeMap;
use std::fmt;

use globset::{Candidate, GlobBuilder, GlobMatcher};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::definition::VERSION;
use crate::error::{DecodeError, Refusal, SpecError};
use crate::kernel::{AnyKernel, Context, Info, PartSize, Parts, Promise};
use crate::spec;
use crate::weights::{TensorInfo, Weights};

/// Bytes of the digest in a name: enough to tell the versions of one file apart.
const DIGEST_BYTES: usize = 4;

/// Longest glob, in bytes: far more than a name needs, and far less than would make its matcher too large to be built, which is a panic.
const LONGEST_GLOB: usize = 4096;

/// Where a mixed pipeline comes from, which names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A preset, by its specification.
    Preset(String),
    /// A file or a text, by its name.
    File(String),
}

/// One rule of a mixed pipeline.
#[derive(Debug)]
pub struct Rule {
    /// Globs over tensor names.
    pub globs: Vec<String>,
    /// What packs the tensors that match.
    pub kernel: Box<dyn AnyKernel>,
}

impl Rule {
    /// What messages call the rule at this index: its number, counted from 1, and its globs.
    pub fn label(index: usize, globs: &[String]) -> String {
        let globs: Vec<String> = globs.iter().map(|g| format!("'{g}'")).collect();
        format!("rule {} ({})", index + 1, globs.join(", "))
    }
}

/// A rule that takes none of a model's tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// The rule, as [`Rule::label`] has it.
    pub rule: String,
    /// Where an earlier rule took all it matches: that rule and the first of these tensors.
    pub shadowed: Option<(String, String)>,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shadowed {
            None => write!(f, "{} matches no tensor", self.rule),
            Some((earlier, tensor)) => write!(f, "{} takes no tensor: {earlier} comes first and takes '{tensor}'", self.rule),
        }
    }
}

/// A mixed pipeline.
#[derive(Debug)]
pub struct Mixed {
    origin: Origin,
    summary: String,
    rules: Vec<Rule>,
    default: Box<dyn AnyKernel>,
    /// Globs that are a name, and the rule of each: there is one for each tensor where rules come from an artifact.
    names: BTreeMap<String, usize>,
    /// The other globs and the rule of each. Not a set of globs: that matches by file names and extensions where it can, and a tensor's name
    /// that ends in a full stop has none.
    globs: Vec<(GlobMatcher, usize)>,
}

impl Mixed {
    /// A pipeline of these rules; an error where a glob is none, or stands twice.
    pub fn new(origin: Origin, summary: String, rules: Vec<Rule>, default: Box<dyn AnyKernel>) -> Result<Self, SpecError> {
        let (mut names, mut globs, mut seen) = (BTreeMap::new(), Vec::new(), BTreeMap::<&str, usize>::new());
        for (i, rule) in rules.iter().enumerate() {
            let wrong = |message: String| {
                let source = Box::new(SpecError::Definition { message });
                SpecError::Rule { rule: Rule::label(i, &rule.globs), source }
            };
            if rule.globs.is_empty() {
                return Err(wrong("'tensors' is empty; give it a glob, or leave the rule out".to_owned()));
            }
            for glob in &rule.globs {
                if let Some(earlier) = seen.insert(glob, i) {
                    return Err(wrong(format!("'{glob}' stands in rule {} already, which takes all that it matches", earlier + 1)));
                }
                if !glob.contains(['*', '?', '[', ']', '{', '}', '\\']) {
                    names.insert(glob.clone(), i);
                    continue;
                }
                if glob.len() > LONGEST_GLOB {
                    return Err(wrong(format!("a glob of {} bytes is too long; the limit is {LONGEST_GLOB}", glob.len())));
                }
                let built = GlobBuilder::new(glob).literal_separator(false).backslash_escape(true).build();
                let built = built.map_err(|e| wrong(format!("'{glob}' is not a glob: {}", e.kind())))?;
                globs.push((built.compile_matcher(), i));
            }
        }
        Ok(Self { origin, summary, rules, default, names, globs })
    }

    /// One line on what it is for; empty where nobody said.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What packs the tensors that no rule takes.
    pub fn default_kernel(&self) -> &dyn AnyKernel {
        self.default.as_ref()
    }

    /// Whether it is a preset, whose rules are made for models of many kinds.
    pub fn is_preset(&self) -> bool {
        matches!(self.origin, Origin::Preset(_))
    }

    /// The rules that match a name, in order.
    fn matching(&self, tensor: &str) -> Vec<usize> {
        let name = Candidate::from_bytes(tensor);
        let matching = self.globs.iter().filter(|(glob, _)| glob.is_match_candidate(&name)).map(|&(_, rule)| rule);
        let mut rules: Vec<usize> = matching.chain(self.names.get(tensor).copied()).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Index of the rule that takes a tensor; `None` for the default.
    pub fn rule_of(&self, tensor: &str) -> Option<usize> {
        self.matching(tensor).first().copied()
    }

    fn chosen(&self, tensor: &str) -> &dyn AnyKernel {
        self.rule_of(tensor).map_or(self.default.as_ref(), |i| self.rules[i].kernel.as_ref())
    }

    /// The rules that take none of these tensors, and why.
    pub fn idle<'a>(&self, tensors: impl Iterator<Item = &'a str>) -> Vec<Idle> {
        let mut busy = vec![false; self.rules.len()];
        let mut shadows: Vec<Option<(usize, &str)>> = vec![None; self.rules.len()];
        for tensor in tensors {
            let matching = self.matching(tensor);
            let Some((&first, later)) = matching.split_first() else { continue };
            busy[first] = true;
            later.iter().for_each(|&rule| shadows[rule] = shadows[rule].or(Some((first, tensor))));
        }
        let label = |i: usize| Rule::label(i, &self.rules[i].globs);
        let idle = |i: usize| Idle { rule: label(i), shadowed: shadows[i].map(|(earlier, tensor)| (label(earlier), tensor.to_owned())) };
        (0..self.rules.len()).filter(|&i| !busy[i]).map(idle).collect()
    }

    fn rule_specs(&self) -> impl Iterator<Item = (Vec<String>, String)> {
        self.rules.iter().map(|rule| (rule.globs.clone(), rule.kernel.spec()))
    }

    /// First bytes of a SHA-256 over all that decides which kernel a tensor gets.
    fn digest(&self) -> String {
        let text = text(None, &self.default.spec(), self.rule_specs());
        Sha256::digest(text)[..DIGEST_BYTES].iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Text of a mixed pipeline with these rules, in the form of a definition file, as JSON.
pub fn text(name: Option<&str>, default: &str, rules: impl Iterator<Item = (Vec<String>, String)>) -> String {
    #[derive(Serialize)]
    struct Text<'a> {
        version: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        default: TextKernel<'a>,
        rule: Vec<TextRule>,
    }
    #[derive(Serialize)]
    struct TextKernel<'a> {
        kernel: &'a str,
    }
    #[derive(Serialize)]
    struct TextRule {
        tensors: Vec<String>,
        kernel: String,
    }
    let rule = rules.map(|(tensors, kernel)| TextRule { tensors, kernel }).collect();
    serde_json::to_string(&Text { version: VERSION, name, default: TextKernel { kernel: default }, rule }).unwrap_or_default()
}

impl AnyKernel for Mixed {
    /// Of the whole: artifacts record the [`Info`] of the kernel that took a tensor.
    fn info(&self) -> Info {
        let mut kernels = self.rules.iter().map(|r| &r.kernel).chain([&self.default]);
        Info {
            id: "mixed",
            version: VERSION,
            summary: "a kernel for each tensor, chosen by its name",
            source: "rules of a file",
            lossless: kernels.all(|k| k.info().lossless),
        }
    }

    fn spec(&self) -> String {
        match &self.origin {
            Origin::Preset(spec) => spec.clone(),
            Origin::File(name) => format!("mixed:{name}@{}", self.digest()),
        }
    }

    fn text(&self) -> String {
        match &self.origin {
            Origin::Preset(spec) => spec.clone(),
            Origin::File(name) => text(Some(name), &self.default.spec(), self.rule_specs()),
        }
    }

    fn for_tensor(&self, info: &TensorInfo) -> &dyn AnyKernel {
        self.chosen(&info.name)
    }

    fn mixed(&self) -> Option<&Mixed> {
        Some(self)
    }

    /// Specifications of the default and of the rules, by their globs.
    fn config(&self) -> Map<String, Value> {
        spec::to_map(&serde_json::from_str::<Value>(&text(None, &self.default.spec(), self.rule_specs())).unwrap_or_default())
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        self.chosen(&weights.info().name).encode(weights, context)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        self.chosen(&info.name).decode(parts, info, context)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        self.chosen(&weights.info().name).promise(weights)
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        self.chosen(&info.name).accepts(info)
    }

    fn packed_sizes(&self, info: &TensorInfo) -> Option<Vec<PartSize>> {
        self.chosen(&info.name).packed_sizes(info)
    }
}

#[cfg(test)]
mod tests;
