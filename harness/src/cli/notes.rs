//! Notes and warnings on standard error: what was migrated, and rules of mixed pipelines that do nothing.

use std::path::Path;

use weighbridge::artifact::ArtifactReader;
use weighbridge::entry::Migration;
use weighbridge::pipeline::Mixed;
use weighbridge::safefile::SafeFile;

use super::CliError;
use crate::measure::plan::Plan;
use weighbridge::kernel::AnyKernel;

/// Says what was migrated.
pub fn of_migrations(migrations: &[Migration]) {
    for migration in migrations {
        eprintln!("note: {migration}");
    }
}

/// Says what was migrated to read an artifact.
pub fn of_artifact(path: &Path, reader: &ArtifactReader) {
    for migration in reader.migrations() {
        eprintln!("note: '{}': {migration}", path.display());
    }
}

/// Warns of rules that take none of the tensors of `model`.
///
/// A warning and no error, because one file may serve several models. Presets are made for many, so of them it only matters that no rule
/// does anything.
pub fn of_idle_rules(mixed: &Mixed, model: &str, tensors: &[String]) {
    let idle = mixed.idle(tensors.iter().map(String::as_str));
    if mixed.is_preset() {
        if idle.len() == mixed.rules().len() {
            eprintln!("warning: {} on {model}: no rule matches a tensor, so its default takes them all", mixed.spec());
        }
        return;
    }
    for rule in idle {
        eprintln!("warning: {} on {model}: {rule}", mixed.spec());
    }
}

/// All there is to say of a plan before it is measured. A rule is idle where it is for all fixtures that its pipeline is measured on.
pub fn of_plan(plan: &Plan) -> Result<(), CliError> {
    of_migrations(&plan.migrations);
    for (spec, kernel) in &plan.kernels {
        let Some(mixed) = kernel.mixed() else { continue };
        let fixtures: Vec<_> = plan.cases.iter().filter(|c| c.kernel == *spec).filter_map(|c| plan.fixtures.get(&c.fixture)).collect();
        if fixtures.is_empty() {
            continue;
        }
        let mut tensors = Vec::new();
        for fixture in &fixtures {
            let path = fixture.weights_path()?;
            // Weights that are still to be generated have no names yet.
            if !path.exists() {
                return Ok(());
            }
            tensors.extend(SafeFile::open(&path)?.names());
        }
        let names = fixtures.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ");
        of_idle_rules(mixed, &names, &tensors);
    }
    Ok(())
}
