//! `calibrate` from outside: a round of tiny trials, its table in each form, and a later sitting that goes on with the file.

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{error_of, output_of, project, weighbridge};

fn calibrate(root: &std::path::Path, extra: &[&str]) -> Command {
    let mut command = weighbridge();
    command.args(["calibrate", "--quiet", "--kernel", "int8", "--fixture", "cnn-mnist", "--links", "0", "--batch", "1ms"]);
    command.args(["--seconds-per-comparison", "40", "--root"]).arg(root).args(extra);
    command
}

#[test]
fn a_round_is_counted_kept_and_gone_on_with() {
    let folder = project();
    let file = folder.path().join("reports/calibrate.jsonl");
    let lines = || std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let table = output_of(&mut calibrate(folder.path(), &["--rounds", "1", "--share", "0,50"]), 0);
    let row = table.lines().find(|l| l.contains("named: encode of int8 × cnn-mnist") && l.contains("thread CPU") && l.contains("50 %"));
    assert!(row.is_some_and(|l| l.contains("/1 (")), "{table}");
    assert!(table.contains("2 trials, 0 between shuffled links and 2 between copies, 40 s a comparison"), "{table}");
    let before = lines();
    assert_eq!(before.len(), 3, "a header and two trials");
    let trial: Value = serde_json::from_str(&before[2]).unwrap();
    assert_eq!((trial["key"]["share"].as_f64(), trial["control"].as_array().unwrap().len()), (Some(0.5), 8), "{trial}");
    assert!(trial["blocks"].as_array().unwrap().iter().any(|b| b["letters"][1]["extra-cpu-ns"].as_u64().unwrap_or(0) > 0), "{trial}");
    // A torn last line, as a kill leaves it; what is there is not measured again.
    std::fs::write(&file, format!("{}\n{{\"key\":", before.join("\n"))).unwrap();
    let json: Value = serde_json::from_str(&output_of(&mut calibrate(folder.path(), &["--rounds", "0", "--format", "json"]), 0)).unwrap();
    assert_eq!(lines(), before);
    let rows = json["rows"].as_array().unwrap();
    let planted = rows.iter().find(|r| r["clock"] == "thread CPU" && r["planted"] == 0.5 && r["class"].is_string()).unwrap();
    assert!((0.2..1.0).contains(&planted["was-there"].as_f64().unwrap()), "{planted}");
    assert_eq!(planted["trials"], 1);
    assert!(planted["slower"]["interval"][1].as_f64().unwrap() <= 1.0);
    let markdown = output_of(&mut calibrate(folder.path(), &["--rounds", "1", "--share", "0,20", "--format", "markdown"]), 0);
    assert!(markdown.contains("3 trials") && markdown.contains("Clopper–Pearson"), "{markdown}");
    assert_eq!((lines().len(), &lines()[..3]), (4, &before[..]));
    let error = error_of(&mut calibrate(folder.path(), &["--rounds", "1", "--seed", "9"]), 2);
    assert!(error.contains("it has another seed"), "{error}");
}

#[test]
fn what_cannot_be_calibrated_on_is_named() {
    let folder = project();
    let error = error_of(&mut calibrate(folder.path(), &["--fixture", "nothing"]), 2);
    assert!(error.contains("unknown fixture 'nothing'"), "{error}");
    let mut refused = weighbridge();
    refused.args(["calibrate", "--kernel", "bf16", "--fixture", "minilm-front", "--links", "0", "--output"]);
    refused.arg(folder.path().join("other.jsonl")).arg("--root").arg(folder.path());
    assert!(error_of(&mut refused, 2).contains("'bf16' takes no tensor of"));
    assert!(error_of(&mut calibrate(folder.path(), &["--share=-1"]), 2).contains("--share"));
    assert!(error_of(&mut calibrate(folder.path(), &["--rounds", "0"]), 2).contains("holds no trial"));
}
