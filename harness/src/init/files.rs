//! Which files there are, and what is in them.

use super::adapt::{PinnedCopy, VERSION_FILE, pull_request_template, version_file, workflow};
use crate::policy::EMBEDDED;
use crate::report::pr_body::TEMPLATE;

/// This project's workflows that others get, by path.
pub(super) const OWN_WORKFLOWS: [(&str, &str); 4] = [
    (".github/workflows/gate.yml", include_str!("../../../.github/workflows/gate.yml")),
    (".github/workflows/comment.yml", include_str!("../../../.github/workflows/comment.yml")),
    (".github/workflows/full.yml", include_str!("../../../.github/workflows/full.yml")),
    (".github/workflows/refresh.yml", include_str!("../../../.github/workflows/refresh.yml")),
];

/// How git merges baselines.
const ATTRIBUTES: &str = include_str!("../../../.gitattributes");

/// What runs leave behind, and what CI fetches.
const IGNORED: &str = "/reports/*\n/baselines/*.pending\n/.weighbridge/\n";

/// What makes GitLab read the file of jobs; a repository with jobs of its own adds the line to them.
pub const GITLAB_ENTRY: &str = "include: /.gitlab/weighbridge.yml\n";

/// A service that runs pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ci {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

/// What a file is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole(Vec<u8>),
    /// These lines besides whatever else it holds.
    Lines(String),
}

/// A file that a repository needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Where, from the root on, with slashes.
    pub path: String,
    /// What.
    pub content: Content,
}

impl Planned {
    /// A file of this text.
    pub fn text(path: &str, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), content: Content::Whole(text.into().into_bytes()) }
    }

    fn lines(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), content: Content::Lines(text.to_owned()) }
    }
}

/// All files but those of models.
pub fn files(ci: Ci, copy: Option<&PinnedCopy>) -> Vec<Planned> {
    let mut all = vec![
        Planned::text("baselines/policy.toml", EMBEDDED),
        Planned::text("baselines/README.md", include_str!("templates/baselines.md")),
        Planned::lines(".gitattributes", ATTRIBUTES),
        Planned::lines(".gitignore", IGNORED),
        Planned::text(VERSION_FILE, version_file(copy)),
    ];
    let template = pull_request_template(TEMPLATE);
    match ci {
        Ci::Github => {
            all.push(Planned::text(".github/pull_request_template.md", template));
            all.extend(OWN_WORKFLOWS.iter().map(|(path, own)| Planned::text(path, workflow(own))));
        }
        Ci::Gitlab => {
            all.push(Planned::text(".gitlab/merge_request_templates/Default.md", template));
            all.push(Planned::text(".gitlab/weighbridge.yml", include_str!("templates/gitlab-ci.yml")));
            all.push(Planned::text(".gitlab-ci.yml", GITLAB_ENTRY));
        }
    }
    all
}
