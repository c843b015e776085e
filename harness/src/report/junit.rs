//! The report as JUnit XML, which most CI systems show: a test suite for each case, a test case for each metric.

pub use quick_junit::SerializeError;
use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Report, tables};
use crate::compare::{Row, Verdict};

/// The whole document. What only is shown is skipped; what fails the gate fails; what failed its check is an error with its reason.
pub fn render(report: &Report) -> Result<String, SerializeError> {
    let mut document = Document::new(format!("weighbridge {}", report.header.suite));
    for rows in report.comparison.rows.chunk_by(|a, b| a.case == b.case) {
        let Some(case) = rows.first().map(|r| &r.case) else { continue };
        let mut suite = TestSuite::new(case.to_string());
        suite.add_property(Property::new("kernel", &case.kernel)).add_property(Property::new("fixture", &case.fixture));
        for row in rows {
            let mut test = TestCase::new(row.metric.name, status(report, row));
            test.set_classname(format!("{}.{}", case.fixture, case.kernel));
            suite.add_test_case(test);
        }
        document.add_test_suite(suite);
    }
    document.to_string()
}

fn status(report: &Report, row: &Row) -> TestCaseStatus {
    let [before, after, change, seen_from] = tables::judged_cells(report, row);
    let line = format!("before {before}, after {after}, change {change}, seen from {seen_from}");
    let mut status = match row.verdict {
        Some(Verdict::Unchanged | Verdict::Improvement | Verdict::New | Verdict::Waived) => return TestCaseStatus::success(),
        None => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("shown, not gated: {after}"));
            return status;
        }
        Some(Verdict::Failed) => {
            let failure = report.comparison.failures.iter().find(|f| f.case == row.case);
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(failure.map_or_else(|| "the case failed".to_owned(), |f| format!("failed at {}: {}", f.stage, f.message)));
            status
        }
        Some(Verdict::Regression | Verdict::Missing | Verdict::Inconclusive) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(line);
            status
        }
    };
    status.set_type(row.verdict.map_or("", Verdict::word));
    status
}
