//! Files of a commit, read from its tree: neither work tree nor index is touched or asked.

use std::path::{Path, PathBuf};

use super::{GitError, resolve};

/// The part of a commit's tree that a folder of the work tree is a checkout of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    root: PathBuf,
    commit: String,
    prefix: PathBuf,
}

/// Digits of a commit for people.
const DIGITS: usize = 12;

impl Tree {
    /// The tree that a revision has for `root`.
    pub fn at(root: &Path, revision: &str) -> Result<Self, GitError> {
        let commit = resolve(root, revision)?;
        let prefix = prefix(&open(root, revision)?, root);
        Ok(Self { root: root.to_owned(), commit, prefix })
    }

    /// The commit, hexadecimal.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// A file in git's own notation, with the commit abbreviated.
    pub fn place(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{}:{}", short(&self.commit), self.prefix.join(path).display()))
    }

    /// Contents of a file, as UTF-8; `None` where the commit has none of that path.
    pub fn text(&self, path: &str) -> Result<Option<String>, GitError> {
        let failed = |message: String| GitError::Read { what: path.to_owned(), commit: short(&self.commit).to_owned(), message };
        let fail = |e: git2::Error| failed(e.message().to_owned());
        let repository = open(&self.root, &self.commit)?;
        let id = git2::Oid::from_str(&self.commit).map_err(fail)?;
        let tree = repository.find_commit(id).and_then(|c| c.tree()).map_err(fail)?;
        let entry = match tree.get_path(&self.prefix.join(path)) {
            Ok(entry) => entry,
            Err(e) if e.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(e) => return Err(fail(e)),
        };
        let blob = repository.find_blob(entry.id()).map_err(fail)?;
        String::from_utf8(blob.content().to_vec()).map(Some).map_err(|_| failed("it is not UTF-8".to_owned()))
    }
}

/// The repository around a folder; `revision` is for the message.
pub(super) fn open(root: &Path, revision: &str) -> Result<git2::Repository, GitError> {
    git2::Repository::discover(root).map_err(|_| GitError::NoRepository { path: root.to_owned(), revision: revision.to_owned() })
}

/// Path of a folder inside the work tree.
pub(super) fn prefix(repository: &git2::Repository, folder: &Path) -> PathBuf {
    let inside = || {
        let root = repository.workdir()?.canonicalize().ok()?;
        folder.canonicalize().ok()?.strip_prefix(root).ok().map(Path::to_owned)
    };
    inside().unwrap_or_default()
}

/// The first digits of a commit.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..DIGITS).unwrap_or(commit)
}
