//! `init`: another repository gets what it needs to weigh its models.

use std::path::{Path, PathBuf};

use super::arguments::InitArguments;
use super::gate::put;
use super::merge_baseline::{knows_git, tell_git};
use super::{CliError, Exit};
use crate::init::Model;
use crate::init::adapt::VERSION_FILE;
use crate::init::files::{Ci, GITLAB_ENTRY, files};
use crate::init::place::{Placed, place};

/// `init`.
pub fn init(arguments: &InitArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let root = folder(root)?;
    if arguments.ci == Ci::Github && arguments.from.as_ref().is_some_and(|copy| !copy.is_of_github()) {
        let message = "'--from' is a URL, and workflows of GitHub Actions take OWNER/REPOSITORY@COMMIT; '--ci gitlab' takes a URL";
        return Err(CliError::Usage(message.to_owned()));
    }
    let mut all = files(arguments.ci, arguments.from.as_ref());
    // Weights come before the manifest that names them.
    all.extend(models(arguments, &root)?.into_iter().flat_map(|model| [model.weights, model.manifest]));
    let say = |placed: Placed, what: &str| put(None, &format!("{:24}  {what}\n", placed.words(arguments.dry_run)));
    let mut kept = Vec::new();
    for planned in &all {
        let placed = place(&root, planned, arguments.dry_run)
            .map_err(|e| CliError::Usage(format!("cannot write '{}': {e}", root.join(&planned.path).display())))?;
        say(placed, &planned.path)?;
        if placed == Placed::Kept {
            kept.push(planned.path.as_str());
        }
    }
    // Elsewhere the nearest repository upwards would be told, which is another one's.
    let is_top = root.join(".git").exists();
    if is_top {
        let placed = match knows_git(&root) {
            true => Placed::Same,
            false if arguments.dry_run => Placed::Written,
            false => tell_git(&root).map(|_| Placed::Written)?,
        };
        say(placed, "the merge driver of baselines, in this clone's configuration")?;
    }
    if !arguments.dry_run {
        put(None, &next_steps(arguments, &root, &kept, is_top))?;
    }
    Ok(Exit::Pass)
}

/// The folder that is given, or the current one.
fn folder(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let folder = given.unwrap_or(Path::new("."));
    let found = folder.canonicalize().and_then(|path| Ok((path.metadata()?.is_dir(), path)));
    match found {
        Ok((true, path)) => Ok(path),
        Ok((false, path)) => Err(CliError::Usage(format!("'{}' is not a folder", path.display()))),
        Err(e) => Err(CliError::Usage(format!("cannot use folder '{}': {e}", folder.display()))),
    }
}

/// The models that are given, else the generated one; none where the repository has manifests of its own.
fn models(arguments: &InitArguments, root: &Path) -> Result<Vec<Model>, CliError> {
    if !arguments.model.is_empty() {
        return Ok(arguments.model.iter().map(|path| Model::of(path)).collect::<Result<_, _>>()?);
    }
    let example = Model::example()?;
    let is_other = |path: &Path| path.extension().is_some_and(|e| e == "toml") && !example.manifest.path.ends_with(&file_name(path));
    let entries = std::fs::read_dir(root.join("fixtures")).into_iter().flatten().flatten();
    Ok(if entries.into_iter().any(|entry| is_other(&entry.path())) { Vec::new() } else { vec![example] })
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| format!("/{}", name.to_string_lossy())).unwrap_or_default()
}

/// What to do next, in the order in which it has to be done.
fn next_steps(arguments: &InitArguments, root: &Path, kept: &[&str], is_top: bool) -> String {
    let mut out = String::new();
    if !is_top {
        out += &format!("\nnote: '{}' is not the top of a git repository, where pipelines and the merge driver belong\n", root.display());
    }
    if !kept.is_empty() {
        out += "\nnote: what was kept is not what this release writes; 'weighbridge init' in an empty folder shows that\n";
    }
    if kept.contains(&".gitlab-ci.yml") {
        out += &format!("note: add this to .gitlab-ci.yml:  {GITLAB_ENTRY}");
    }
    out += "\nnext:\n";
    let mut step = |text: &str| out.push_str(&format!("  {text}\n"));
    if arguments.from.is_none() && !kept.contains(&VERSION_FILE) {
        step(&format!("write into {VERSION_FILE} which copy of Weighbridge CI is to use"));
    }
    step("git add . && git commit -m 'Weigh compression'");
    step("weighbridge run         # measures suite mini");
    step("weighbridge baseline accept --commit --reason 'the first baseline'");
    step("weighbridge gate        # what CI runs for each change");
    let service = match arguments.ci {
        Ci::Github => {
            "pull requests are gated once this is on the default branch; .github/workflows/refresh.yml says which setting it needs"
        }
        Ci::Gitlab => "merge requests are gated once this is on the default branch; .gitlab/weighbridge.yml says which variables it takes",
    };
    out + service + "\n"
}
