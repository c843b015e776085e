//! `kernels`: what can compress, and how each is set.

use std::path::Path;

use comfy_table::{Table, presets::NOTHING};
use serde_json::{Map, Value, json};
use weighbridge::entry::Entry;
use weighbridge::error::SpecError;
use weighbridge::kernel::AnyKernel;
use weighbridge::pipeline::presets::{PREFIX, PRESETS, Preset, preset};
use weighbridge::pipeline::{AnyStage, Mixed, STAGES, StageEntry, parse_stage, stage_entry};
use weighbridge::registry::Registry;
use weighbridge::safefile::SafeFile;
use weighbridge::spec::{self, Parameter};

use super::arguments::{ListFormat, ShowArguments};
use super::gate::put;
use super::list::Listing;
use super::{CliError, Exit, notes};
use crate::specification::{ResolveError, resolve};

/// `kernels list`.
pub fn list(format: ListFormat, registry: &Registry) -> Result<Exit, CliError> {
    let parameters = |list: &[Parameter]| list.iter().map(|p| p.name).collect::<Vec<_>>().join(" ");
    let kernel = |entry: &Entry| {
        let info = entry.info;
        vec![info.id.to_owned(), parameters(entry.parameters), info.summary.to_owned(), info.source.to_owned()]
    };
    let stage = |entry: &StageEntry| {
        let info = entry.info;
        let summary = format!("lossless stage behind any kernel: {}", info.summary);
        vec![format!("KERNEL|{}", info.id), parameters(entry.parameters), summary, info.source.to_owned()]
    };
    // A registry of other kernels cannot make them.
    let preset = |preset: &Preset| {
        let kernel = registry.parse(&preset.spec()).ok()?;
        Some(vec![preset.spec(), String::new(), kernel.mixed()?.summary().to_owned(), "mixed pipeline".to_owned()])
    };
    let rows = registry.entries().iter().map(kernel).chain(STAGES.iter().map(stage)).chain(PRESETS.iter().filter_map(preset));
    let listing = Listing { header: &["kernel", "parameters", "summary", "source"], rows: rows.collect() };
    put(None, &listing.render(format))?;
    Ok(Exit::Pass)
}

/// `kernels show`.
pub fn show(arguments: &ShowArguments, registry: &Registry) -> Result<Exit, CliError> {
    let text = arguments.kernel.as_str();
    if let Some(stage) = stage_asked_for(text, registry)? {
        put(None, &format!("{}\nwrite it behind a kernel: 'KERNEL|{}'\n", show_stage(stage.as_ref())?, stage.spec()))?;
        return Ok(Exit::Pass);
    }
    let resolved = resolve(text, Path::new(""), registry)?;
    notes::of_migrations(&resolved.migrations);
    let kernel = resolved.kernel.as_ref();
    let out = match &arguments.model {
        _ if arguments.toml => as_toml(kernel)?,
        Some(model) => show_tensors(kernel, model)?,
        None => match kernel.mixed() {
            Some(mixed) => show_mixed(mixed),
            None => show_chain(kernel, registry)?,
        },
    };
    put(None, &out)?;
    Ok(Exit::Pass)
}

/// The stage of `|zstd`, or of `entropy`, which no kernel is called.
fn stage_asked_for(text: &str, registry: &Registry) -> Result<Option<Box<dyn AnyStage>>, SpecError> {
    if let Some(stage) = text.strip_prefix('|') {
        return parse_stage(stage).map(Some);
    }
    let id = text.split(':').next().unwrap_or(text);
    let meant = registry.entry(id).is_err() && stage_entry(id).is_ok();
    meant.then(|| parse_stage(text)).transpose()
}

/// A kernel, and the stages behind it where there are some.
fn show_chain(kernel: &dyn AnyKernel, registry: &Registry) -> Result<String, ResolveError> {
    let stages = kernel.stages();
    let id = kernel.info().id;
    let mut own = show_kernel(registry.entry(id)?, &kernel.config());
    if stages.is_empty() {
        if STAGES.iter().any(|s| s.info.id == id) {
            own += &format!("a stage has this name, too: 'weighbridge kernels show \"|{id}\"'\n");
        }
        return Ok(own);
    }
    let mut out = format!("{}: a kernel, then lossless stages over its packed parts\n\n1. {own}", kernel.spec());
    for (i, stage) in stages.iter().enumerate() {
        out += &format!("\n{}. {}", i + 2, show_stage(parse_stage(stage)?.as_ref())?);
    }
    Ok(out)
}

fn show_kernel(entry: &Entry, config: &Map<String, Value>) -> String {
    let info = entry.info;
    let lossless = if info.lossless { "yes" } else { "no" };
    let head = format!("{}: {}\nsource: {}\nlossless: {lossless}\nversion: {}\n", info.id, info.summary, info.source, info.version);
    head + &show_parameters(entry.parameters, &entry.default_config(), config)
}

fn show_stage(stage: &dyn AnyStage) -> Result<String, SpecError> {
    let spec = stage.spec();
    let entry = stage_entry(spec::parse(&spec)?.0)?;
    let info = entry.info;
    let head = format!("{}: {}\nsource: {}\nlossless: yes, as every stage\n", info.id, info.summary, info.source);
    Ok(head + &show_parameters(entry.parameters, &entry.default_config(), &stage.config()))
}

fn show_parameters(parameters: &[Parameter], defaults: &Map<String, Value>, config: &Map<String, Value>) -> String {
    let plain = |map: &Map<String, Value>, key: &str| match map.get(key).unwrap_or(&json!(null)) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let one = |p: &Parameter| {
        let (default, value) = (plain(defaults, p.name), plain(config, p.name));
        let chosen = if value == default { String::new() } else { format!(", here {value}") };
        format!("  {} = {} (default {default}{chosen})\n      {}\n", p.name, p.values, p.doc)
    };
    let list: String = parameters.iter().map(one).collect();
    if list.is_empty() { "parameters: none\n".to_owned() } else { format!("parameters:\n{list}") }
}

fn show_mixed(mixed: &Mixed) -> String {
    let spec = mixed.spec();
    let head = if mixed.summary().is_empty() { "a mixed pipeline" } else { mixed.summary() };
    let lossless = if mixed.info().lossless { "yes" } else { "no" };
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["rule", "tensors", "kernel"]);
    for (i, rule) in mixed.rules().iter().enumerate() {
        table.add_row([(i + 1).to_string(), rule.globs.join("\n"), rule.kernel.spec()]);
    }
    table.add_row(["", "any other", &mixed.default_kernel().spec()]);
    // A preset with stages behind it has no file of its own.
    let change = if mixed.is_preset() && !spec.contains('|') {
        format!(
            "\nits file says why it is so, with figures: weighbridge kernels show {spec} --toml\n\
             to change it, keep that as mine.toml and give @mine.toml in its place\n"
        )
    } else {
        String::new()
    };
    format!(
        "{spec}: {head}\nlossless: {lossless}\nthe first rule with a glob that matches a tensor's name takes it:\n\n{}\n{change}",
        table.trim_fmt()
    )
}

/// Which kernel takes each tensor of a model.
fn show_tensors(kernel: &dyn AnyKernel, model: &Path) -> Result<String, CliError> {
    let file = SafeFile::open(model)?;
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["tensor", "dtype", "shape", "rule", "kernel"]);
    for name in file.names() {
        let raw = file.raw_info(&name)?;
        let (dtype, shape) = (format!("{:?}", raw.dtype), format!("{:?}", raw.shape));
        let rule = kernel.mixed().and_then(|m| m.rule_of(&name)).map_or_else(String::new, |i| (i + 1).to_string());
        let chosen = match file.weights_info(&name)? {
            Some(info) => kernel.for_tensor(&info).spec(),
            None => "unchanged: no weights".to_owned(),
        };
        table.add_row([name, dtype, shape, rule, chosen]);
    }
    if let Some(mixed) = kernel.mixed() {
        notes::of_idle_rules(mixed, &format!("'{}'", model.display()), &file.names());
    }
    Ok(format!("{} on '{}'; a kernel may still leave a tensor unchanged\n\n{}\n", kernel.spec(), model.display(), table.trim_fmt()))
}

/// A definition file that makes the kernel again. A preset is printed with its comments.
fn as_toml(kernel: &dyn AnyKernel) -> Result<String, CliError> {
    if let Some(id) = kernel.spec().strip_prefix(PREFIX).filter(|id| !id.contains('|')) {
        return Ok(preset(id).map_err(ResolveError::from)?.toml.to_owned());
    }
    let mut file = Map::new();
    if kernel.mixed().is_some() {
        file = kernel.config();
    } else {
        let info = kernel.info();
        file.insert("kernel".to_owned(), json!(info.id));
        file.insert("version".to_owned(), json!(info.version));
        if !kernel.stages().is_empty() {
            file.insert("stages".to_owned(), json!(kernel.stages()));
        }
        if !kernel.config().is_empty() {
            file.insert("config".to_owned(), Value::Object(kernel.config()));
        }
    }
    toml::to_string(&file).map_err(|e| CliError::Unexpected(format!("cannot write '{}' as a file: {e}", kernel.spec())))
}
