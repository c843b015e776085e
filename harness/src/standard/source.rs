//! Where baseline, policy and waivers are read from.

use std::path::{Path, PathBuf};

use crate::baseline::{Baseline, BaselineError, Part, Texts, Unknown, parse};
use crate::git::{self, GitError, Tree};
use crate::policy::{Policy, PolicyError};
use crate::waiver::{WaiverError, Waivers};

/// Where they are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineSource {
    /// The work tree.
    WorkTree {
        /// Folder of the baselines.
        folder: PathBuf,
        /// Why it and no commit, in words; nothing where that was asked for.
        why: Option<String>,
    },
    /// A commit.
    Revision {
        /// Its tree.
        tree: Tree,
        /// Which commit that is, in words.
        why: String,
    },
    /// One file, with the times beside it where there are some; policy and waivers are the work tree's.
    File {
        /// The file of exact values.
        path: PathBuf,
        /// Folder of the baselines.
        folder: PathBuf,
    },
}

/// Something that a source does not give.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The baseline.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Version control.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The waivers.
    #[error(transparent)]
    Waiver(#[from] WaiverError),
}

/// Folder of the baselines within a project.
const FOLDER: &str = "baselines";

impl Texts for Tree {
    fn text(&self, name: &str) -> Result<Option<String>, BaselineError> {
        Ok(Tree::text(self, &format!("{FOLDER}/{name}"))?)
    }

    fn place(&self, name: &str) -> PathBuf {
        Tree::place(self, &format!("{FOLDER}/{name}"))
    }
}

impl BaselineSource {
    /// The commit that a branch began at, if that is not HEAD; else the work tree.
    pub fn by_default(root: &Path) -> Result<Self, GitError> {
        let folder = root.join(FOLDER);
        let work_tree = |why: &str| Self::WorkTree { folder: folder.clone(), why: Some(why.to_owned()) };
        Ok(match git::merge_base(root)? {
            Some(base) if !base.is_head => {
                Self::Revision { tree: Tree::at(root, &base.commit)?, why: format!("the merge-base of HEAD and '{}'", base.branch) }
            }
            Some(base) => work_tree(&format!("HEAD has nothing that '{}' has not", base.branch)),
            None => work_tree("there is no branch to take a merge-base with"),
        })
    }

    /// The merge-base, or the revision that is named, without a default.
    pub fn against(root: &Path, revision: Option<&str>) -> Result<Self, GitError> {
        if let Some(revision) = revision {
            return Ok(Self::Revision { tree: Tree::at(root, revision)?, why: format!("revision '{revision}'") });
        }
        match git::merge_base(root)? {
            Some(base) => {
                Ok(Self::Revision { tree: Tree::at(root, &base.commit)?, why: format!("the merge-base of HEAD and '{}'", base.branch) })
            }
            None => Err(GitError::NoTrunk { path: root.to_owned() }),
        }
    }

    /// One file.
    pub fn file(path: &Path, root: &Path) -> Self {
        Self::File { path: path.to_owned(), folder: root.join(FOLDER) }
    }

    /// A suite's baseline.
    pub fn baseline(&self, suite: &str) -> Result<Baseline, BaselineError> {
        match self {
            Self::WorkTree { folder, .. } => Baseline::read(folder, suite),
            Self::Revision { tree, .. } => Baseline::read_from(tree, suite),
            Self::File { path, .. } => read_file(path, suite),
        }
    }

    /// The policy; the embedded one where there is none.
    pub fn policy(&self) -> Result<Policy, SourceError> {
        match self {
            Self::WorkTree { folder, .. } | Self::File { folder, .. } => Ok(Policy::load(folder)?),
            Self::Revision { tree, .. } => Ok(match Texts::text(tree, "policy.toml")? {
                Some(text) => Policy::parse(&text, &Texts::place(tree, "policy.toml").display().to_string())?,
                None => Policy::parse(crate::policy::EMBEDDED, "embedded")?,
            }),
        }
    }

    /// The waivers; none where there is no file of them.
    pub fn waivers(&self) -> Result<Waivers, SourceError> {
        const NAME: &str = "waivers.toml";
        let (text, place) = match self {
            Self::WorkTree { folder, .. } | Self::File { folder, .. } => {
                let folder = folder.as_path();
                (Texts::text(&folder, NAME)?, Texts::place(&folder, NAME))
            }
            Self::Revision { tree, .. } => (Texts::text(tree, NAME)?, Texts::place(tree, NAME)),
        };
        Ok(text.map(|text| Waivers::parse(&text, &place.display().to_string())).transpose()?.unwrap_or_default())
    }

    /// The commit, where it is one.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Revision { tree, .. } => Some(tree.commit()),
            Self::WorkTree { .. } | Self::File { .. } => None,
        }
    }

    /// Where a suite's baseline is.
    pub fn place(&self, suite: &str) -> PathBuf {
        let name = Part::Exact.file_name(suite);
        match self {
            Self::WorkTree { folder, .. } => folder.join(name),
            Self::Revision { tree, .. } => Texts::place(tree, &name),
            Self::File { path, .. } => path.clone(),
        }
    }

    /// It in words, for the first line of a report.
    pub fn line(&self, suite: &str) -> String {
        match self {
            Self::WorkTree { why: None, .. } => format!("Judged by the work tree's baselines/{}.", Part::Exact.file_name(suite)),
            Self::WorkTree { why: Some(why), .. } => {
                format!("Judged by the work tree's baselines/{}: {why}.", Part::Exact.file_name(suite))
            }
            Self::Revision { why, .. } => format!("Judged by {}, policy and waivers of that commit: {why}.", self.place(suite).display()),
            Self::File { path, .. } => format!("Judged by '{}' and the work tree's policy.", path.display()),
        }
    }
}

/// A file of exact values with the times beside it.
fn read_file(path: &Path, suite: &str) -> Result<Baseline, BaselineError> {
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BaselineError::Io { action: "read", path: path.to_owned(), source }),
    };
    let missing = || BaselineError::Missing { suite: suite.to_owned(), path: path.to_owned() };
    let mut baseline = parse(&read(path)?.ok_or_else(missing)?, path, Unknown::Refuse)?;
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let times = path.with_file_name(Part::Times.file_name(&stem));
    if let Some(text) = read(&times)? {
        baseline.add_times(parse(&text, &times, Unknown::Refuse)?);
    }
    baseline.sort();
    Ok(baseline)
}
