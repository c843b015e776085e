//! Sides of a comparison, made ready to run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cargo::Cargo;
use super::error::{BuildError, io};
use super::key::{hex, toolchain_key};
use super::seed::take_over;
use crate::git;

/// What a side was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    /// A commit.
    Commit {
        /// The commit, hexadecimal.
        commit: String,
    },
    /// The work tree as it is.
    WorkTree {
        /// Commit of HEAD, where there is one.
        commit: Option<String>,
        /// Whether tracked files differ from it.
        dirty: bool,
    },
    /// A program that was given.
    Program {
        /// Where it is.
        path: PathBuf,
    },
}

impl Origin {
    /// The commit, where the side is nothing but one.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit { commit } | Self::WorkTree { commit: Some(commit), dirty: false } => Some(commit),
            Self::WorkTree { .. } | Self::Program { .. } => None,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Commit { commit } => write!(f, "commit {}", &commit[..commit.len().min(12)]),
            Self::WorkTree { dirty, .. } => write!(f, "the work tree{}", if *dirty { " (with uncommitted changes)" } else { "" }),
            Self::Program { path } => write!(f, "program '{}'", path.display()),
        }
    }
}

/// How the variants of a side differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Linked anew, each with its sections in another order.
    Relinked,
    /// Copies of one file: where its code lies is part of what is compared.
    Copied,
}

/// A program file of a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Variant {
    /// The program.
    pub program: PathBuf,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// A side, ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// What it was made of.
    pub origin: Origin,
    /// How its variants differ.
    pub layout: Layout,
    /// The variants, at least one.
    pub variants: Vec<Variant>,
}

impl Build {
    /// Whether two sides are known to hold the same code: one commit, or the same bytes.
    pub fn same_code(&self, other: &Self) -> bool {
        let commits = self.origin.commit().zip(other.origin.commit()).is_some_and(|(a, b)| a == b);
        commits || self.variants.iter().any(|v| other.variants.iter().any(|w| v.sha256 == w.sha256))
    }
}

/// Makes sides in a folder that is kept between comparisons.
pub struct Maker<'a> {
    /// Project folder.
    pub root: &'a Path,
    /// Variants of each side.
    pub variants: u32,
    /// Lines of progress.
    pub say: &'a dyn Fn(&str),
}

impl Maker<'_> {
    fn folder(&self) -> PathBuf {
        self.root.join("target/weighbridge")
    }

    /// Builds a revision; what was built before with the same toolchain and flags is used again.
    pub fn revision(&self, revision: &str) -> Result<Build, BuildError> {
        let commit = git::resolve(self.root, revision)?;
        let folder = self.folder().join("builds").join(format!("{commit}-{}", toolchain_key()));
        let origin = Origin::Commit { commit: commit.clone() };
        if let Some(build) = self.cached(&folder, origin.clone())? {
            (self.say)(&format!("{origin} was built before"));
            return Ok(build);
        }
        let checkout = folder.join("source");
        // Files that are written anew are newer than whatever was built in this target folder before, which is how cargo tells that they changed.
        if checkout.exists() {
            std::fs::remove_dir_all(&checkout).map_err(io("clear", &checkout))?;
        }
        std::fs::create_dir_all(&checkout).map_err(io("create", &checkout))?;
        let source = git::check_out(self.root, &commit, &checkout)?;
        self.build(origin, &source, &folder)
    }

    /// Builds the work tree as it is. Where that is a commit without changes, it is the build of that commit.
    pub fn work_tree(&self) -> Result<Build, BuildError> {
        let tree = git::work_tree(self.root);
        if let Some(commit) = tree.as_ref().filter(|t| !t.dirty).and_then(|t| t.commit.as_deref()) {
            return self.revision(commit);
        }
        let origin = Origin::WorkTree { commit: tree.as_ref().and_then(|t| t.commit.clone()), dirty: tree.is_none_or(|t| t.dirty) };
        let folder = self.folder().join("builds/work-tree");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(io("clear", &folder))?;
        }
        self.build(origin, self.root, &folder)
    }

    /// Copies a program that was given. `name` tells the copies of the two sides apart.
    pub fn program(&self, path: &Path, name: &str) -> Result<Build, BuildError> {
        let folder = self.folder().join("builds").join(name);
        let path = path.canonicalize().map_err(io("use", path))?;
        let variants = self.copies(&path, &folder)?;
        Ok(Build { origin: Origin::Program { path }, layout: Layout::Copied, variants })
    }

    fn copies(&self, path: &Path, folder: &Path) -> Result<Vec<Variant>, BuildError> {
        (0..self.variants).map(|i| keep(path, &folder.join(format!("weighbridge-copy-{i}")))).collect()
    }

    fn cached(&self, folder: &Path, origin: Origin) -> Result<Option<Build>, BuildError> {
        for (layout, name) in [(Layout::Relinked, "link"), (Layout::Copied, "copy")] {
            let paths: Vec<_> = (0..self.variants).map(|i| folder.join(format!("weighbridge-{name}-{i}"))).collect();
            if paths.iter().all(|p| p.is_file()) {
                let variants =
                    paths.into_iter().map(|p| Ok(Variant { sha256: sha256(&p)?, program: p })).collect::<Result<_, BuildError>>()?;
                return Ok(Some(Build { origin, layout, variants }));
            }
        }
        Ok(None)
    }

    fn build(&self, origin: Origin, source: &Path, folder: &Path) -> Result<Build, BuildError> {
        let what = origin.to_string();
        // Cargo knows a workspace's own packages by their place in it, not by where it is, and takes what is older than the last build for
        // built: in one folder the work tree would get the commit's program.
        let [commits, work_tree] = ["target", "target-work-tree"].map(|name| self.folder().join(name));
        let (target, other) = if matches!(origin, Origin::WorkTree { .. }) { (work_tree, commits) } else { (commits, work_tree) };
        std::fs::create_dir_all(&target).map_err(io("create", &target))?;
        if let Some(profile) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
            take_over(profile, &target.join("release"));
        }
        take_over(&other.join("release"), &target.join("release"));
        let cargo = Cargo { what: &what, source, target: &target };
        let say = |line: &str| (self.say)(&format!("{what}: {line}"));
        let mut variants = Vec::new();
        for i in 0..self.variants {
            say(&format!("variant {} of {}", i + 1, self.variants));
            match cargo.build(Some(i + 1), &say) {
                Ok(path) => variants.push(keep(&path, &folder.join(format!("weighbridge-link-{i}")))?),
                // A linker that cannot shuffle is no fault of the source: that shows in a build without it.
                Err(BuildError::Failed { .. }) => {
                    say("this linker cannot shuffle sections; trying without");
                    let path = cargo.build(None, &say)?;
                    return Ok(Build { origin, layout: Layout::Copied, variants: self.copies(&path, folder)? });
                }
                Err(other) => return Err(other),
            }
        }
        Ok(Build { origin, layout: Layout::Relinked, variants })
    }
}

/// Copies a program to where it stays, by rename.
fn keep(program: &Path, to: &Path) -> Result<Variant, BuildError> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    }
    let partial = to.with_extension("partial");
    std::fs::copy(program, &partial).map_err(io("copy", program))?;
    std::fs::rename(&partial, to).map_err(io("write", to))?;
    Ok(Variant { sha256: sha256(to)?, program: to.to_owned() })
}

fn sha256(path: &Path) -> Result<String, BuildError> {
    let bytes = std::fs::read(path).map_err(io("read", path))?;
    Ok(hex(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn copies_are_the_same_bytes_and_the_same_code() {
        let folder = tempfile::tempdir().unwrap();
        let maker = Maker { root: folder.path(), variants: 3, say: &|_| () };
        let a = maker.program(&program(folder.path(), "a", "one"), "baseline").unwrap();
        let b = maker.program(&program(folder.path(), "b", "one"), "candidate").unwrap();
        let c = maker.program(&program(folder.path(), "c", "two"), "candidate").unwrap();
        assert_eq!((a.layout, a.variants.len()), (Layout::Copied, 3));
        assert!(a.variants.iter().all(|v| std::fs::read_to_string(&v.program).unwrap() == "one" && v.sha256 == a.variants[0].sha256));
        assert!(a.same_code(&b) && !a.same_code(&c));
        let error = maker.program(&folder.path().join("gone"), "baseline").unwrap_err().to_string();
        assert!(error.contains("cannot use") && error.contains("gone"), "{error}");
    }

    #[test]
    fn one_commit_is_the_same_code_whatever_the_linker_made_of_it() {
        let variant = |sha256: &str| vec![Variant { program: PathBuf::from("p"), sha256: sha256.to_owned() }];
        let commit = |commit: &str, sha| Build {
            origin: Origin::Commit { commit: commit.to_owned() },
            layout: Layout::Relinked,
            variants: variant(sha),
        };
        let tree = |dirty, sha| {
            let origin = Origin::WorkTree { commit: Some("c1".to_owned()), dirty };
            Build { origin, layout: Layout::Relinked, variants: variant(sha) }
        };
        assert!(commit("c1", "x").same_code(&tree(false, "y")));
        assert!(!commit("c1", "x").same_code(&tree(true, "y")));
        assert!(!commit("c1", "x").same_code(&commit("c2", "y")));
    }

    #[test]
    fn a_revision_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let maker = Maker { root: folder.path(), variants: 1, say: &|_| () };
        assert!(matches!(maker.revision("main"), Err(BuildError::Git(_))));
    }

    #[test]
    fn a_work_tree_that_is_older_than_the_commits_build_is_built_itself() {
        let folder = tempfile::tempdir().unwrap();
        let source = |name: &str, word: &str| {
            let source = folder.path().join(name);
            std::fs::create_dir_all(source.join("src")).unwrap();
            let manifest = "[package]\nname = \"weighbridge-harness\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[[bin]]\nname = \"weighbridge\"\n\
                            path = \"src/main.rs\"\n[workspace]\n";
            let lock = "version = 4\n\n[[package]]\nname = \"weighbridge-harness\"\nversion = \"0.1.0\"\n";
            let main = format!("fn main() {{ print!(\"{word}\") }}\n");
            for (path, text) in [("Cargo.toml", manifest), ("Cargo.lock", lock), ("src/main.rs", &main)] {
                std::fs::write(source.join(path), text).unwrap();
                let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
                std::fs::File::options().write(true).open(source.join(path)).unwrap().set_modified(old).unwrap();
            }
            source
        };
        let maker = Maker { root: folder.path(), variants: 2, say: &|_| () };
        let commit = Origin::Commit { commit: "0".repeat(40) };
        let commit = maker.build(commit, &source("commit", "before"), &folder.path().join("a")).unwrap();
        let tree = Origin::WorkTree { commit: None, dirty: true };
        let tree = maker.build(tree, &source("tree", "after"), &folder.path().join("b")).unwrap();
        for (build, word) in [(&commit, "before"), (&tree, "after")] {
            for variant in &build.variants {
                let output = std::process::Command::new(&variant.program).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), word);
            }
        }
        assert!(!commit.same_code(&tree));
    }
}
