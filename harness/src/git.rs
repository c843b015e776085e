//! Version control, through libgit2: the only module that knows of it.

use std::path::Path;

/// What the work tree is a checkout of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkTree {
    /// Commit of HEAD, hexadecimal; `None` before the first.
    pub commit: Option<String>,
    /// Whether tracked files differ from HEAD.
    pub dirty: bool,
}

/// The work tree around a path; `None` outside a repository or where it cannot be read.
pub fn work_tree(path: &Path) -> Option<WorkTree> {
    let repository = git2::Repository::discover(path).ok()?;
    let commit = repository.head().ok().and_then(|h| h.peel_to_commit().ok()).map(|c| c.id().to_string());
    let mut options = git2::StatusOptions::new();
    options.include_untracked(false).exclude_submodules(true);
    let dirty = repository.statuses(Some(&mut options)).is_ok_and(|s| s.iter().any(|e| e.status() != git2::Status::CURRENT));
    Some(WorkTree { commit, dirty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_and_dirt_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(work_tree(folder.path()), None);
        let repository = git2::Repository::init(folder.path()).unwrap();
        assert_eq!(work_tree(folder.path()), Some(WorkTree { commit: None, dirty: false }));
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let mut index = repository.index().unwrap();
        index.add_path(Path::new("a")).unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let author = git2::Signature::now("test", "test@example.org").unwrap();
        let id = repository.commit(Some("HEAD"), &author, &author, "first", &tree, &[]).unwrap();
        assert_eq!(work_tree(folder.path()), Some(WorkTree { commit: Some(id.to_string()), dirty: false }));
        std::fs::write(folder.path().join("a"), "22").unwrap();
        assert!(work_tree(folder.path()).unwrap().dirty);
    }
}
