//! The page in a browser: slow, and only where there is one.

use std::process::Command;

use crate::support::{QUICK, output_of, project, repository, weighbridge};

/// Exit code of the script where there is no browser.
const NO_BROWSER: i32 = 77;

#[test]
#[ignore = "needs Chromium and Python; CONTRIBUTING.md, 'Look at the page'"]
fn the_page_in_a_browser() {
    let folder = project();
    let page = folder.path().join("page.html");
    let mut measure = weighbridge();
    measure.arg("--root").arg(folder.path()).arg("run").args(QUICK).arg("--quiet");
    output_of(&mut measure, 0);
    let mut report = weighbridge();
    report.arg("--root").arg(folder.path()).arg("report").arg(format!("--format=html={}", page.display()));
    output_of(&mut report, 0);
    let script = repository().join("harness/tests/browser/check_page.py");
    let checked = Command::new("python3").arg(script).arg(&page).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert_ne!(checked.status.code(), Some(NO_BROWSER), "{said}");
    assert!(checked.status.success(), "{said}");
}
