//! Version control, through libgit2: the only module that knows of it.

mod base;
mod commit;
mod config;
mod history;
mod tree;

use std::path::{Path, PathBuf};

pub use base::merge_base;
pub use commit::commit_files;
pub use config::{install_merge_driver, merge_driver};
pub use history::{History, Touch, first_parents, last_release, subject};
pub use tree::Tree;

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

/// What differs between a commit and the place where it left the main branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Commit of that place, hexadecimal.
    pub base: String,
    /// Files added, changed, removed or renamed, by path.
    pub files: Vec<String>,
}

/// Names of the main branch, in the order in which they are tried after the one that CI names for a pull request.
const MAIN_BRANCHES: [&str; 5] = ["refs/remotes/origin/HEAD", "origin/main", "origin/master", "main", "master"];

/// Changes of a commit, or of HEAD, against the main branch; `None` outside a repository, without a main branch or the commit.
pub fn changes(path: &Path, commit: Option<&str>, base_branch: Option<&str>) -> Option<Changes> {
    let repository = git2::Repository::discover(path).ok()?;
    let commit = repository.revparse_single(commit.unwrap_or("HEAD")).ok()?.peel_to_commit().ok()?;
    let named = base_branch.filter(|b| !b.is_empty()).map(|b| format!("origin/{b}"));
    let mut names = named.iter().map(String::as_str).chain(MAIN_BRANCHES);
    let main = names.find_map(|name| repository.revparse_single(name).ok()?.peel_to_commit().ok())?;
    let base = repository.merge_base(main.id(), commit.id()).ok()?;
    let tree = repository.find_commit(base).ok()?.tree().ok()?;
    let diff = repository.diff_tree_to_tree(Some(&tree), Some(&commit.tree().ok()?), None).ok()?;
    let path = |delta: git2::DiffDelta<'_>| Some(delta.new_file().path().or_else(|| delta.old_file().path())?.display().to_string());
    Some(Changes { base: base.to_string(), files: diff.deltas().filter_map(path).collect() })
}

/// What version control could not give.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository.
    #[error("'{}' is not inside a git repository, so there is no revision '{revision}'", path.display())]
    NoRepository {
        /// Where it was looked for.
        path: PathBuf,
        /// What was wanted.
        revision: String,
    },
    /// No such commit.
    #[error("'{revision}' names no commit of '{}': {message}", path.display())]
    Unknown {
        /// The repository.
        path: PathBuf,
        /// What was wanted.
        revision: String,
        /// What libgit2 says.
        message: String,
    },
    /// The history that is there does not reach back to where two branches parted.
    #[error("cannot tell where HEAD and {branch} parted: this clone is shallow, with {depth} commits of HEAD")]
    Shallow {
        /// The branch to compare with.
        branch: String,
        /// Commits from HEAD back that are there.
        depth: usize,
    },
    /// Nothing to take a merge-base with.
    #[error("'{}' has no branch to take a merge-base with: no origin/HEAD, no origin/main, no main", path.display())]
    NoTrunk {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Two branches without a common commit.
    #[error("HEAD and '{branch}' have no commit in common")]
    Unrelated {
        /// The branch to compare with.
        branch: String,
    },
    /// Something in a commit could not be read.
    #[error("cannot read '{what}' of commit '{commit}': {message}")]
    Read {
        /// File or object.
        what: String,
        /// The commit.
        commit: String,
        /// What libgit2 says.
        message: String,
    },
    /// Something could not be written.
    #[error("cannot {action}: {message}")]
    Write {
        /// What was tried.
        action: &'static str,
        /// Why not.
        message: String,
    },
    /// The files could not be written.
    #[error("cannot check '{commit}' out into '{}': {message}", path.display())]
    CheckOut {
        /// The folder.
        path: PathBuf,
        /// The commit.
        commit: String,
        /// What libgit2 says.
        message: String,
    },
}

/// The commit that a revision (a branch, a tag, `HEAD~3`, a digest) names, hexadecimal.
pub fn resolve(path: &Path, revision: &str) -> Result<String, GitError> {
    let unknown =
        |e: git2::Error| GitError::Unknown { path: path.to_owned(), revision: revision.to_owned(), message: e.message().to_owned() };
    let repository =
        git2::Repository::discover(path).map_err(|_| GitError::NoRepository { path: path.to_owned(), revision: revision.to_owned() })?;
    let commit = repository.revparse_single(revision).and_then(|object| object.peel_to_commit()).map_err(unknown)?;
    Ok(commit.id().to_string())
}

/// Writes the files of a commit below `folder`, and gives the place in it that `path` has in the work tree.
///
/// Files alone: no branch, index or list of work trees of the repository is touched, so nothing is left behind when the folder is deleted.
pub fn check_out(path: &Path, commit: &str, folder: &Path) -> Result<PathBuf, GitError> {
    let failed =
        |e: git2::Error| GitError::CheckOut { path: folder.to_owned(), commit: commit.to_owned(), message: e.message().to_owned() };
    let repository = git2::Repository::discover(path).map_err(failed)?;
    let tree = repository.find_commit(git2::Oid::from_str(commit).map_err(failed)?).and_then(|c| c.tree()).map_err(failed)?;
    let mut options = git2::build::CheckoutBuilder::new();
    options.target_dir(folder).force().recreate_missing(true).update_index(false);
    repository.checkout_tree(tree.as_object(), Some(&mut options)).map_err(failed)?;
    let inside =
        repository.workdir().and_then(|root| path.canonicalize().ok()?.strip_prefix(root.canonicalize().ok()?).ok().map(Path::to_owned));
    Ok(inside.map_or_else(|| folder.to_owned(), |inside| folder.join(inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_those_since_the_main_branch_was_left() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(changes(folder.path(), None, None), None);
        let mut options = git2::RepositoryInitOptions::new();
        let repository = git2::Repository::init_opts(folder.path(), options.initial_head("main")).unwrap();
        let author = git2::Signature::now("test", "test@example.org").unwrap();
        let commit = |reference: &str, files: &[&str], parent: Option<git2::Oid>| {
            let blob = repository.blob(b"1").unwrap();
            let mut tree = repository.treebuilder(None).unwrap();
            for file in files {
                tree.insert(file, blob, 0o100_644).unwrap();
            }
            let tree = repository.find_tree(tree.write().unwrap()).unwrap();
            let parent = parent.map(|id| repository.find_commit(id).unwrap());
            repository.commit(Some(reference), &author, &author, "x", &tree, parent.as_ref().as_slice()).unwrap()
        };
        let first = commit("refs/heads/main", &["a", "b"], None);
        commit("refs/heads/main", &["a", "b", "later"], Some(first));
        let work = commit("refs/heads/work", &["a", "new"], Some(first)).to_string();
        let found = changes(folder.path(), Some(&work), Some("no-such-branch")).unwrap();
        assert_eq!(found, Changes { base: first.to_string(), files: vec!["b".into(), "new".into()] });
        assert_eq!(changes(folder.path(), None, None).unwrap().files, Vec::<String>::new());
    }

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

    #[test]
    fn a_commit_is_found_by_name_and_its_files_are_written_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        std::fs::create_dir_all(root.join("project")).unwrap();
        assert!(matches!(resolve(&root, "HEAD"), Err(GitError::NoRepository { .. })));
        let repository = git2::Repository::init(&root).unwrap();
        let author = git2::Signature::now("test", "test@example.org").unwrap();
        let mut commits = Vec::<git2::Oid>::new();
        for text in ["first", "second"] {
            std::fs::write(root.join("project/a"), text).unwrap();
            let mut index = repository.index().unwrap();
            index.add_path(Path::new("project/a")).unwrap();
            index.write().unwrap();
            let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
            let parents: Vec<_> = commits.last().iter().map(|id| repository.find_commit(**id).unwrap()).collect();
            commits.push(repository.commit(Some("HEAD"), &author, &author, text, &tree, &parents.iter().collect::<Vec<_>>()).unwrap());
        }
        let project = root.join("project");
        assert_eq!(resolve(&project, "HEAD").unwrap(), commits[1].to_string());
        assert_eq!(resolve(&project, "HEAD~1").unwrap(), commits[0].to_string());
        let error = resolve(&project, "nowhere").unwrap_err();
        assert!(error.to_string().contains("'nowhere' names no commit"), "{error}");
        for (commit, text) in commits.iter().zip(["first", "second"]) {
            let target = folder.path().join(text);
            let place = check_out(&project, &commit.to_string(), &target).unwrap();
            assert_eq!(place, target.join("project"));
            assert_eq!(std::fs::read_to_string(place.join("a")).unwrap(), text);
            let again = check_out(&project, &commit.to_string(), &target).unwrap();
            assert!(again.join("a").exists(), "a second time it is there already");
        }
        assert_eq!(std::fs::read_to_string(project.join("a")).unwrap(), "second", "the work tree stays as it was");
        assert!(!work_tree(&root).unwrap().dirty);
    }
}
