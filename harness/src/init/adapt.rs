//! What in this project's own files holds only here, and what stands there for others.

use std::str::FromStr;

/// How this project's workflows use the action.
const OWN_ACTION: &str = "      - uses: ./.github/actions/weighbridge\n";
/// How they fetch the repository.
const CHECKOUT: &str = "      - uses: actions/checkout@";
/// Options of the gate that need the sources of Weighbridge itself.
const OWN_OPTIONS: &str = "  OPTIONS: --against --budget 10m\n";
/// What a line of the pull-request template names that only this project has.
const OWN_PLACES: [&str; 7] = ["`src/", "`harness/", "`fixtures/README.md`", "`CONTRIBUTING.md`", "`.ci/run`", "`mlp-mnist`", "protocol 1"];

/// The file that names the copy of Weighbridge which CI uses.
pub const VERSION_FILE: &str = ".weighbridge-version";

/// A copy of Weighbridge: a repository and a commit of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedCopy {
    repository: String,
    commit: String,
}

/// Text that names no copy.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' names no commit of a repository; write it as OWNER/REPOSITORY@COMMIT or URL@COMMIT, with all 40 digits of the commit")]
pub struct CopyError(String);

impl PinnedCopy {
    /// Whether the repository is named as GitHub's own actions take it: OWNER/REPOSITORY.
    pub fn is_of_github(&self) -> bool {
        self.repository.matches('/').count() == 1 && !self.repository.contains([':', '@'])
    }
}

impl FromStr for PinnedCopy {
    type Err = CopyError;

    fn from_str(text: &str) -> Result<Self, CopyError> {
        let (repository, commit) = text.rsplit_once('@').ok_or_else(|| CopyError(text.to_owned()))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let fits = repository.contains('/') && repository.chars().all(is_plain) && commit.len() == 40 && commit.chars().all(is_digit);
        let copy = || Self { repository: repository.to_owned(), commit: commit.to_owned() };
        fits.then(copy).ok_or_else(|| CopyError(text.to_owned()))
    }
}

/// The file that names the copy; without one it says what is to be written there.
pub fn version_file(copy: Option<&PinnedCopy>) -> String {
    let head = "# Which copy of Weighbridge CI builds and runs: OWNER/REPOSITORY@COMMIT on GitHub, URL@COMMIT elsewhere.\n\
                # All 40 digits of the commit; a newer commit here is how Weighbridge is updated.\n";
    let line = copy.map_or_else(String::new, |copy| format!("{}@{}\n", copy.repository, copy.commit));
    head.to_owned() + &line
}

/// One of this project's workflows, as another repository uses it: the action comes from the copy that [`VERSION_FILE`] names.
pub fn workflow(own: &str) -> String {
    let checkout = own.lines().find(|line| line.starts_with(CHECKOUT)).unwrap_or_default();
    let fetched = format!("{}{checkout}\n{}", include_str!("templates/version-step.yml"), include_str!("templates/action-step.yml"));
    own.replace(OWN_OPTIONS, "  OPTIONS: \"\"\n").replace(OWN_ACTION, &fetched)
}

/// This project's pull-request template without what names its own folders, fixtures and commands.
pub fn pull_request_template(own: &str) -> String {
    let kept = own.lines().filter(|line| !OWN_PLACES.iter().any(|place| line.contains(place)));
    let text = kept.map(|line| line.replace("cargo run --release -- ", "weighbridge ") + "\n").collect::<String>();
    text.replace("- [ ] CNN (`cnn-mnist`)", "- [ ] MLP\n- [ ] CNN").replace(" (`gpt-moby`)", "").replace(" (`lstm-moby`)", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::files::OWN_WORKFLOWS;

    #[test]
    fn a_copy_is_a_repository_and_a_whole_commit() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for good in [
            format!("owner/weighbridge@{commit}"),
            format!("https://example.org/a/b.git@{commit}"),
            format!("git@example.org:a/b@{commit}"),
        ] {
            assert!(version_file(Some(&good.parse().unwrap())).ends_with(&format!("\n{good}\n")), "{good}");
        }
        let is_of_github = |text: String| text.parse::<PinnedCopy>().unwrap().is_of_github();
        assert!(is_of_github(format!("owner/weighbridge@{commit}")) && !is_of_github(format!("https://example.org/a/b@{commit}")));
        for bad in ["", "owner/weighbridge", "owner/weighbridge@main", &format!("weighbridge@{commit}"), &format!("a/$(b)@{commit}")] {
            assert!(bad.parse::<PinnedCopy>().unwrap_err().to_string().contains("OWNER/REPOSITORY@COMMIT"), "{bad}");
        }
        assert!(version_file(None).lines().all(|line| line.starts_with('#')));
    }

    #[test]
    fn nothing_of_a_workflow_still_means_this_project() {
        let mut uses = 0;
        for (path, own) in OWN_WORKFLOWS {
            let adapted = workflow(own);
            uses += own.matches(OWN_ACTION).count();
            assert_eq!(
                adapted.matches("- uses: ./.weighbridge/.github/actions/weighbridge\n").count(),
                own.matches(OWN_ACTION).count(),
                "{path}"
            );
            assert!(!adapted.contains(OWN_ACTION) && !adapted.contains("--against"), "{path}");
            // Each action stays pinned to a commit, the one that is added included.
            for line in adapted.lines().filter(|l| l.contains("uses: ") && !l.contains("uses: ./")) {
                let commit = line.split_once('@').map(|(_, rest)| rest.split(' ').next().unwrap_or_default()).unwrap_or_default();
                assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{path}: {line}");
            }
        }
        assert!(uses >= 5, "{uses}");
        assert!(OWN_WORKFLOWS.iter().any(|(_, own)| own.contains(OWN_OPTIONS)), "the gate's own options are taken out");
    }

    #[test]
    fn the_template_asks_for_nothing_that_only_this_project_has() {
        let template = pull_request_template(crate::report::pr_body::TEMPLATE);
        for own in ["src/", "harness/", "cargo", "-mnist", "-moby", ".ci/"] {
            assert!(!template.contains(own), "{own}");
        }
        for line in [
            "### Metrics",
            "| Compression Ratio | | | | |",
            "weighbridge gate",
            "- [ ] MLP",
            "- [ ] CNN",
            "- [ ] `baselines/` (policy, accepted values)",
        ] {
            assert!(template.lines().any(|l| l == line), "{line}");
        }
    }
}
