//! The forms that a report can be written in: one line each.

use super::{Report, csv, github, html, json, junit, markdown, parquet, plot, pr, pr_body, terminal};

/// A report that could not be written; a defect rather than a user's mistake.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant wraps the error of one form")]
pub enum ReportError {
    #[error("cannot write the report as CSV: {0}")]
    Csv(#[from] ::csv::Error),
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot write the report as JUnit XML: {0}")]
    Junit(#[from] junit::SerializeError),
    #[error("cannot write the report as Parquet: {0}")]
    Parquet(#[from] parquet::ParquetError),
    #[error("cannot draw the plot: {0}")]
    Plot(#[from] plot::PlotError),
    #[error("cannot write the page: {0}")]
    Page(#[from] html::PageError),
}

/// A form of a report.
#[derive(Debug)]
pub struct Form {
    /// Name on the command line.
    pub name: &'static str,
    /// Name of its file, unless another is given.
    pub file: &'static str,
    /// It in a line.
    pub doc: &'static str,
    /// Puts a report in this form. No bytes mean that there is nothing to write.
    pub render: fn(&Report) -> Result<Vec<u8>, ReportError>,
}

/// All of them, in the order of the help text.
pub const FORMS: &[Form] = &[
    Form { name: "terminal", file: "report.txt", doc: "text for a terminal", render: |r| Ok(terminal::render(r).into_bytes()) },
    Form { name: "markdown", file: "report.md", doc: "Markdown, everything", render: |r| Ok(markdown::render(r).into_bytes()) },
    Form {
        name: "pr",
        file: "pr.md",
        doc: "a comment for a pull request: verdict, five rows, what changed",
        render: |r| Ok(pr::render(r).into_bytes()),
    },
    Form {
        name: "pr-body",
        file: "pr-body.md",
        doc: "the pull-request template, filled in where the run is evidence",
        render: |r| Ok(pr_body::render(r).into_bytes()),
    },
    Form {
        name: "html",
        file: "report.html",
        doc: "one page with tables and plots, without network",
        render: |r| Ok(html::render(r)?.into_bytes()),
    },
    Form {
        name: "json",
        file: "report.json",
        doc: "JSON, everything at full precision; docs/report.schema.json is its schema",
        render: |r| Ok(json::render(r)?.into_bytes()),
    },
    Form {
        name: "csv",
        file: "report.csv",
        doc: "comma-separated values, one metric of one case a line",
        render: |r| Ok(csv::render(r)?.into_bytes()),
    },
    Form { name: "parquet", file: "report.parquet", doc: "the columns of the CSV as a Parquet file", render: |r| Ok(parquet::render(r)?) },
    Form {
        name: "junit",
        file: "junit.xml",
        doc: "JUnit XML, one test case a metric of a case",
        render: |r| Ok(junit::render(r)?.into_bytes()),
    },
    Form {
        name: "github",
        file: "annotations.txt",
        doc: "annotations of GitHub Actions; see 'report --help'",
        render: |r| Ok(github::annotations(r).into_bytes()),
    },
    Form {
        name: "svg",
        file: "rate-distortion.svg",
        doc: "the rate-distortion plot",
        render: |r| Ok(plot::rate_distortion_alone(r)?.into_bytes()),
    },
];

/// The form of that name.
pub fn form(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|f| f.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_are_unique_and_described() {
        for (i, f) in FORMS.iter().enumerate() {
            assert!(FORMS[..i].iter().all(|o| o.name != f.name && o.file != f.file), "{}", f.name);
            assert!(!f.doc.is_empty() && f.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert_eq!(form(f.name).map(|found| found.file), Some(f.file));
        }
    }
}
