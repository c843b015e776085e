//! The commits that touched some files, found by comparing object ids: no file is read that did not change, and none twice.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::{open, prefix, short};
use super::{GitError, resolve};

/// A commit that touched one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The commit, hexadecimal.
    pub commit: String,
    /// When it was committed, in seconds since 1970, UTC.
    pub seconds: i64,
    /// First line of its message.
    pub subject: String,
    /// Object of each file in it, in the order that the files were asked for in; `None` where it has no such file.
    pub blobs: Vec<Option<String>>,
}

/// The commits that touched some files, oldest first, along first parents: what the branch was at each moment.
pub struct History {
    repository: git2::Repository,
    /// The commits.
    pub touches: Vec<Touch>,
    /// Commits that were walked.
    pub walked: usize,
    /// Whether it ends where a shallow clone ends, not where the project began.
    pub is_cut: bool,
}

impl History {
    /// Walks from a revision back to its first commit, or to `since`, whose state is the first of the touches.
    pub fn walk(root: &Path, files: &[String], from: &str, since: Option<&str>) -> Result<Self, GitError> {
        let since = since.map(|s| resolve(root, s)).transpose()?;
        let from = resolve(root, from)?;
        let repository = open(root, &from)?;
        let (mut touches, mut walked, mut is_cut) = (Vec::new(), 0, false);
        {
            let fail = |e: git2::Error| GitError::Read {
                what: "history".to_owned(),
                commit: short(&from).to_owned(),
                message: e.message().to_owned(),
            };
            let prefix = prefix(&repository, root);
            let paths: Vec<_> = files.iter().map(|f| prefix.join(f)).collect();
            let blobs = |commit: &git2::Commit<'_>| -> Result<Vec<Option<git2::Oid>>, git2::Error> {
                let tree = commit.tree()?;
                Ok(paths.iter().map(|path| tree.get_path(path).ok().map(|entry| entry.id())).collect())
            };
            let mut commit = repository.find_commit(git2::Oid::from_str(&from).map_err(fail)?).map_err(fail)?;
            let mut current = blobs(&commit).map_err(fail)?;
            loop {
                walked += 1;
                let ends = since.as_ref().is_some_and(|s| commit.id().to_string() == *s);
                let parent = if ends { None } else { commit.parent(0).ok() };
                is_cut |= !ends && parent.is_none() && commit.parent_count() > 0;
                let before = parent.as_ref().map(&blobs).transpose().map_err(fail)?;
                let there = current.iter().any(Option::is_some);
                if before.as_ref().map_or(there, |before| *before != current) {
                    touches.push(Touch {
                        commit: commit.id().to_string(),
                        seconds: commit.time().seconds(),
                        subject: commit.summary().ok().flatten().unwrap_or_default().to_owned(),
                        blobs: current.iter().map(|id| id.map(|id| id.to_string())).collect(),
                    });
                }
                let Some((parent, before)) = parent.zip(before) else { break };
                (commit, current) = (parent, before);
            }
        }
        touches.reverse();
        is_cut |= repository.is_shallow() && since.is_none();
        Ok(Self { repository, touches, walked, is_cut })
    }

    /// Contents of an object.
    pub fn text(&self, blob: &str) -> Result<String, GitError> {
        let failed = |message: &str| GitError::Read { what: blob.to_owned(), commit: "history".to_owned(), message: message.to_owned() };
        let blob = git2::Oid::from_str(blob).and_then(|id| self.repository.find_blob(id)).map_err(|e| failed(e.message()))?;
        String::from_utf8(blob.content().to_vec()).map_err(|_| failed("it is not UTF-8"))
    }
}

/// The commits from `good` to `bad`, both included, along first parents, oldest first.
///
/// Where `good` is on a branch that was merged, the chain begins at the commit that the branch began at.
pub fn first_parents(root: &Path, good: &str, bad: &str) -> Result<Vec<String>, GitError> {
    let (good, bad) = (resolve(root, good)?, resolve(root, bad)?);
    let repository = open(root, &bad)?;
    let fail =
        |e: git2::Error| GitError::Read { what: "history".to_owned(), commit: short(&bad).to_owned(), message: e.message().to_owned() };
    let (first, last) = (git2::Oid::from_str(&good).map_err(fail)?, git2::Oid::from_str(&bad).map_err(fail)?);
    let mut chain = Vec::new();
    let mut commit = repository.find_commit(last).map_err(fail)?;
    loop {
        chain.push(commit.id().to_string());
        if commit.id() == first || repository.graph_descendant_of(first, commit.id()).map_err(fail)? {
            break;
        }
        match commit.parent(0) {
            Ok(parent) => commit = parent,
            Err(_) => return Err(GitError::Unrelated { branch: good }),
        }
    }
    chain.reverse();
    Ok(chain)
}

/// First line of a commit's message.
pub fn subject(root: &Path, commit: &str) -> Option<String> {
    let repository = open(root, commit).ok()?;
    let commit = repository.find_commit(git2::Oid::from_str(commit).ok()?).ok()?;
    Some(commit.summary().ok()??.to_owned())
}

/// The nearest commit from a revision back, along first parents, that a release tag names, with the tag: `v1.2.3` or `1.2.3`.
pub fn last_release(root: &Path, from: &str) -> Result<Option<(String, String)>, GitError> {
    let from = resolve(root, from)?;
    let repository = open(root, &from)?;
    let fail =
        |e: git2::Error| GitError::Read { what: "tags".to_owned(), commit: short(&from).to_owned(), message: e.message().to_owned() };
    let mut tags = BTreeMap::new();
    for reference in repository.references_glob("refs/tags/*").map_err(fail)?.flatten() {
        if let (Ok(name), Ok(commit)) = (reference.shorthand(), reference.peel_to_commit())
            && is_release(name)
        {
            tags.insert(commit.id(), name.to_owned());
        }
    }
    let mut commit = repository.find_commit(git2::Oid::from_str(&from).map_err(fail)?).map_err(fail)?;
    loop {
        if let Some(name) = tags.get(&commit.id()) {
            return Ok(Some((name.clone(), commit.id().to_string())));
        }
        let Ok(parent) = commit.parent(0) else { return Ok(None) };
        commit = parent;
    }
}

/// Whether a tag's name is a version that was released: no candidate or nightly.
fn is_release(name: &str) -> bool {
    let numbers: Vec<_> = name.strip_prefix('v').unwrap_or(name).split('.').collect();
    numbers.len() >= 2 && numbers.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
