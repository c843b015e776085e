//! `kernels errors` and the document it made.

use std::collections::BTreeMap;

use weighbridge::reference::{REFERENCES, reference};
use weighbridge_harness::error_table::CASES;

use crate::support::{error_of, output_of, repository, weighbridge};

fn errors(arguments: &[&str]) -> String {
    output_of(weighbridge().args(["kernels", "errors", "--quiet"]).args(arguments), 0)
}

fn committed() -> String {
    std::fs::read_to_string(repository().join("docs/kernel-errors.md")).unwrap()
}

/// The cells of a Markdown table by their first one, less the header.
fn cells(document: &str) -> BTreeMap<String, Vec<String>> {
    let bar = '\u{1}';
    let lines = document.lines().filter(|line| line.starts_with("| ")).map(|line| line.replace("\\|", &bar.to_string()));
    let rows = lines.skip(1).map(|line| line.trim_matches('|').split('|').map(|c| c.trim().replace(bar, "|")).collect::<Vec<_>>());
    rows.map(|row| (row[0].clone(), row)).collect()
}

#[test]
fn the_committed_table_is_of_all_kernels_and_of_the_references_in_code() {
    let document = committed();
    assert!(document.contains("kernels errors --rows 1024 --cols 4096 --scale 0.02 --seed 1 --format markdown"));
    let table = cells(&document);
    let listed: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = CASES.iter().map(|case| case.spec).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    for (spec, row) in &table {
        let expected =
            reference(spec).map_or(["–".to_owned(), "–".to_owned()], |r| [r.bits_per_weight.to_string(), r.relative_error.to_string()]);
        assert_eq!([row[2].clone(), row[4].clone()], expected, "{spec}");
    }
    for r in REFERENCES {
        let error: f64 = table[r.spec][3].parse().unwrap();
        assert!((error / r.relative_error - 1.0).abs() < r.band, "{}: {error} is not {}", r.spec, r.relative_error);
        assert!(document.contains(r.source), "{}", r.source);
    }
}

/// The kernels that take a blink, at the document's size; the others are held to their errors by the tests of the kernel library.
#[test]
fn the_committed_table_is_what_the_command_prints() {
    let quick = ["int8", "fp8-*", "int4", "nf4", "q4_*", "q8_0", "mxfp4", "tq*", "bitnet", "hyper-lattice"];
    let arguments: Vec<&str> = quick.iter().flat_map(|glob| ["--kernel", glob]).chain(["--format", "markdown"]).collect();
    let (found, committed) = (cells(&errors(&arguments)), cells(&committed()));
    assert!(found.len() > 15, "{found:?}");
    for (spec, row) in found {
        assert_eq!(committed[&spec], row, "{spec}: make docs/kernel-errors.md again");
    }
}

#[test]
fn the_table_is_the_same_on_each_simd_level_and_number_of_threads() {
    let arguments = ["--rows", "6", "--cols", "320", "--format", "json"];
    let first = errors(&arguments);
    assert!(first.contains("\"seedlm\"") && first.contains("\"vptq\""), "{first}");
    for (level, threads) in [("scalar", "1"), ("avx2", "2"), ("avx512", "1")] {
        let mut command = weighbridge();
        command.args(["kernels", "errors", "--quiet"]).args(arguments);
        command.env("WEIGHBRIDGE_SIMD", level).env("RAYON_NUM_THREADS", threads);
        assert!(output_of(&mut command, 0) == first, "{level}, {threads} threads");
    }
}

#[test]
fn weights_that_cannot_be_made_are_an_error_of_usage() {
    let error = |arguments: &[&str]| error_of(weighbridge().args(["kernels", "errors"]).args(arguments), 2);
    assert!(error(&["--rows", "0"]).contains("cannot make 0 x 4096 weights"));
    assert!(error(&["--scale", "0"]).contains("scale is 0"));
    assert!(error(&["--kernel", "none-such"]).contains("no kernel of the table matches"));
}
