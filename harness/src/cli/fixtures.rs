//! `fixtures`: the matrix of fixtures, fetching, generating, and conversion of a file of weights.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::arguments::{ConvertArguments, FetchArguments, ListFormat};
use super::error::fetch_exit;
use super::fetching::Fetching;
use super::gate::put;
use super::list::Listing;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::convert::{self, ConvertError, Selection};
use crate::files;
use crate::fixture::{Architecture, Cache, Fixture, Size, Source, State, find};
use crate::report::format;

const ARCHITECTURES: [Architecture; 6] = [
    Architecture::TransformerEncoder,
    Architecture::TransformerDecoder,
    Architecture::Cnn,
    Architecture::Rnn,
    Architecture::Mlp,
    Architecture::Custom,
];
const SIZES: [Size; 4] = [Size::Small, Size::Medium, Size::Large, Size::ExtraLarge];

/// `fixtures list`: cell by cell, empty ones too.
pub fn list(format: ListFormat, root: Option<&Path>) -> Result<Exit, CliError> {
    let fixtures = Workspace::find(root)?.fixtures()?;
    let mut rows = Vec::new();
    for architecture in ARCHITECTURES {
        for size in SIZES {
            let cell = |f: &&Fixture| f.manifest.architecture == architecture && f.manifest.size == size;
            let mut here = fixtures.iter().filter(cell).map(row).collect::<Result<Vec<_>, _>>()?;
            if here.is_empty() {
                here.push(vec!["none".to_owned(); 6]);
                here[0][1..].fill(String::new());
            }
            let begun = [architecture.name().to_owned(), size.name().to_owned()];
            rows.extend(here.into_iter().map(|row| begun.iter().cloned().chain(row).collect::<Vec<_>>()));
        }
    }
    let header = &["architecture", "size", "fixture", "parameters", "source", "bytes", "licence", "state"];
    put(None, &Listing { header, rows }.render(format))?;
    Ok(Exit::Pass)
}

/// Fixture, parameters, source, bytes, licence, state.
fn row(fixture: &Fixture) -> Result<Vec<String>, CliError> {
    let manifest = &fixture.manifest;
    let state = fixture.state()?;
    let bytes = match state {
        // What is to come; what is there is measured.
        State::ToFetch => format!("{} to download", format::bytes(crate::model::metric::as_f64(download_bytes(fixture)))),
        State::ToGenerate => format!("{} to write", format::bytes(crate::model::metric::as_f64(generated_bytes(fixture)))),
        State::Missing | State::OnHub => String::new(),
        State::Committed | State::Local | State::Cached => {
            let path = fixture.weights_path()?;
            std::fs::metadata(path).map_or_else(|_| String::new(), |m| format::bytes(crate::model::metric::as_f64(m.len())))
        }
    };
    Ok(vec![
        manifest.name.clone(),
        manifest.parameters.to_string(),
        manifest.source.line(&manifest.packages),
        bytes,
        manifest.licence.clone(),
        state.name().to_owned(),
    ])
}

fn download_bytes(fixture: &Fixture) -> u64 {
    fixture.manifest.packages.values().map(|p| p.bytes).sum()
}

fn generated_bytes(fixture: &Fixture) -> u64 {
    match &fixture.manifest.source {
        Source::Generator(recipe) => fixture.manifest.parameters * recipe.dtype.size_bytes() as u64,
        _ => 0,
    }
}

/// `fixtures fetch`.
pub fn fetch(arguments: &FetchArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let fixtures = if arguments.names.is_empty() {
        let mut fixtures = workspace.fixtures()?;
        fixtures.retain(|f| !f.manifest.packages.is_empty());
        fixtures
    } else {
        let directory = workspace.root.join("fixtures");
        arguments.names.iter().map(|name| find(&directory, name)).collect::<Result<_, _>>()?
    };
    let cache = Cache::locate();
    let progress = Fetching::new(arguments.quiet);
    let options = crate::fetch::Options { offline: arguments.offline };
    let outcomes = crate::fetch::fetch(&fixtures, &cache, options, &|event| progress.observe(event))?;
    drop(progress);
    let mut exit = Exit::Pass;
    for (name, outcome) in &outcomes {
        let Err(error) = outcome else { continue };
        let _ = writeln!(anstream::stderr(), "error: {name}: {error}");
        // The first failure decides; what follows is often its consequence.
        if exit == Exit::Pass {
            exit = fetch_exit(error);
        }
    }
    let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
    let fetched = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Ok(true))).count();
    let there = outcomes.len() - failed - fetched;
    put(None, &format!("{fetched} fetched, {there} there before, {failed} failed; cache '{}'\n", cache.root()?.display()))?;
    Ok(exit)
}

/// `fixtures convert`.
pub fn convert(arguments: &ConvertArguments) -> Result<Exit, CliError> {
    let format = convert::format(&arguments.format).map_err(CliError::Usage)?;
    let (keep, exclude, rename) = (arguments.keep.clone(), arguments.exclude.clone(), arguments.rename.clone());
    let select = Selection { keep, exclude, rename };
    select.check().map_err(CliError::Usage)?;
    let mut bytes = Vec::new();
    for path in &arguments.files {
        let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut bytes));
        read.map_err(|e| CliError::Usage(format!("cannot read '{}': {e}", path.display())))?;
    }
    let file = arguments.files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join("' + '");
    let wrap = |source: ConvertError| CliError::Convert { file: file.clone(), source };
    let tensors = (format.read)(&bytes).and_then(|tensors| select.apply(tensors)).map_err(wrap)?;
    let mut written = Ok(());
    let replaced = files::replace(&arguments.output, |out| {
        written = convert::write_safetensors(&tensors, &mut BufWriter::new(&mut *out));
        // A file that was not written whole is not put in place.
        match &written {
            Ok(()) => out.flush(),
            Err(_) => Err(std::io::Error::other("not written")),
        }
    });
    written.map_err(wrap)?;
    replaced.map_err(|e| CliError::Usage(format!("cannot write '{}': {e}", arguments.output.display())))?;
    let parameters: u64 = tensors.iter().filter(|t| t.is_weights()).map(convert::Tensor::elements).sum();
    let sha256 = crate::fixture::sha256(&arguments.output)?;
    put(None, &format!("'{}': {} tensors, {parameters} parameters, sha256 {sha256}\n", arguments.output.display(), tensors.len()))?;
    Ok(Exit::Pass)
}
