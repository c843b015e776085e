//! Where a branch parted from the one it is to be merged into.

use std::path::Path;

use super::GitError;
use super::tree::open;

/// Branches that work is merged into, most certain first: what the remote says its own is, then the usual name there and here.
const TRUNKS: [&str; 3] = ["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main"];

/// A commit that a branch and the trunk have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeBase {
    /// The commit, hexadecimal.
    pub commit: String,
    /// The trunk, as `origin/main`.
    pub branch: String,
    /// Whether it is HEAD itself: nothing was committed since.
    pub is_head: bool,
}

/// The merge-base of HEAD and the trunk; `None` outside a repository, before the first commit, and where there is no trunk.
///
/// A shallow clone that lacks the trunk or the place where they parted is an error: there is a base, and not knowing it must not look like a pass.
pub fn merge_base(root: &Path) -> Result<Option<MergeBase>, GitError> {
    let Ok(repository) = open(root, "HEAD") else { return Ok(None) };
    let Ok(head) = repository.head().and_then(|h| h.peel_to_commit()) else { return Ok(None) };
    let shallow = |branch: &str| GitError::Shallow { branch: branch.to_owned(), depth: depth(&repository, head.id()) };
    let trunk = TRUNKS.iter().find_map(|name| {
        let reference = repository.find_reference(name).ok()?;
        let commit = reference.peel_to_commit().ok()?;
        // `origin/HEAD` is a name for another branch, which says more.
        let reference = reference.resolve().unwrap_or(reference);
        Some((commit.id(), reference.shorthand().ok().unwrap_or(name).to_owned()))
    });
    let Some((trunk, branch)) = trunk else {
        return if repository.is_shallow() { Err(shallow("the branch it is to be merged into")) } else { Ok(None) };
    };
    match repository.merge_base(head.id(), trunk) {
        Ok(base) => Ok(Some(MergeBase { commit: base.to_string(), branch, is_head: base == head.id() })),
        Err(e) if e.code() == git2::ErrorCode::NotFound && repository.is_shallow() => Err(shallow(&format!("'{branch}'"))),
        Err(e) if e.code() == git2::ErrorCode::NotFound => Err(GitError::Unrelated { branch }),
        Err(e) => Err(GitError::Read { what: "merge-base".to_owned(), commit: head.id().to_string(), message: e.message().to_owned() }),
    }
}

/// Commits from HEAD back that are there.
fn depth(repository: &git2::Repository, head: git2::Oid) -> usize {
    let walk = repository.revwalk().and_then(|mut walk| walk.push(head).map(|()| walk));
    walk.map_or(0, |walk| walk.flatten().count())
}
