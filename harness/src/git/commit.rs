//! A commit of some files and nothing else: what is staged beside them stays staged.

use std::path::{Path, PathBuf};

use super::GitError;
use super::tree::{open, prefix};

/// Commits files of a folder, as they are in the work tree, on top of HEAD; the commit, hexadecimal. No hooks are run.
pub fn commit_files(root: &Path, files: &[PathBuf], message: &str) -> Result<String, GitError> {
    let repository = open(root, "HEAD")?;
    let failed = |message: String| GitError::Write { action: "commit", message };
    let fail = |e: git2::Error| failed(e.message().to_owned());
    if repository.state() != git2::RepositoryState::Clean {
        return Err(failed(format!("the repository is in the middle of something ({:?}); finish it first", repository.state())));
    }
    let author = repository.signature().map_err(|_| failed("git knows no author; set user.name and user.email".to_owned()))?;
    let head = match repository.head() {
        Ok(head) => Some(head.peel_to_commit().map_err(fail)?),
        Err(e) if e.code() == git2::ErrorCode::UnbornBranch => None,
        Err(e) => return Err(fail(e)),
    };
    let prefix = prefix(&repository, root);
    let inside =
        |file: &Path| file.strip_prefix(root).map(|f| prefix.join(f)).map_err(|_| failed(format!("'{}' is elsewhere", file.display())));
    // An index of its own holds HEAD and the files; the user's gets the files too, so that they do not look reverted.
    let mut index = git2::Index::new().map_err(fail)?;
    if let Some(head) = &head {
        index.read_tree(&head.tree().map_err(fail)?).map_err(fail)?;
    }
    let mut own = repository.index().map_err(fail)?;
    for file in files {
        let path = inside(file)?;
        own.add_path(&path).map_err(fail)?;
        let entry = own.get_path(&path, 0).ok_or_else(|| failed(format!("'{}' is not in the index", path.display())))?;
        index.add(&entry).map_err(fail)?;
    }
    let tree = index.write_tree_to(&repository).and_then(|id| repository.find_tree(id)).map_err(fail)?;
    let parents: Vec<_> = head.iter().collect();
    let id = repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents).map_err(fail)?;
    own.write().map_err(fail)?;
    Ok(id.to_string())
}
