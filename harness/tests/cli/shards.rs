//! Shards and their merging, samples, dry runs and the quick suite, from outside.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{error_of, output_of, project, run_lines, weighbridge};

/// A small plan: six kernels on two models.
const CASES: [&str; 6] = ["--suite", "smoke", "--fixture", "*-mnist", "--time-per-case", "10ms"];

/// A command in a project folder.
fn command(root: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = weighbridge();
    command.args(arguments).arg("--root").arg(root);
    command
}

/// Runs the plan, or a shard of it, into a folder; what is exact of it, one line a value.
fn run(root: &Path, output: &Path, more: &[&str]) -> Vec<String> {
    let arguments = [&["run", "--quiet", "--format", "jsonl"], &CASES[..], more].concat();
    exact(&output_of(command(root, &arguments).arg("--output").arg(output), 0))
}

fn exact(lines: &str) -> Vec<String> {
    lines.lines().filter(|l| !l.contains("seconds_per_mb") && !l.contains("rss_bytes")).map(str::to_owned).collect()
}

/// Digests of a run file's artifacts and decoded models, by case.
fn digests(output: &Path) -> Vec<(Value, Value, Value)> {
    let lines = run_lines(output);
    let digest = |l: &Value| {
        (l["case"].clone(), l["measured"]["checked"]["artifact-sha256"].clone(), l["measured"]["decoded"]["decoded-sha256"].clone())
    };
    lines.iter().filter(|l| l["record"] == "measured").map(digest).collect()
}

#[test]
fn four_shards_merged_are_one_run_and_others_are_refused() {
    let folder = project();
    let place = |name: &str| folder.path().join(name);
    let one = run(folder.path(), &place("one"), &[]);
    assert!(one.len() > 100, "{}", one.len());

    let mut shards = Vec::new();
    let mut cases = 0;
    for index in 1..=4 {
        let output = place(&format!("shard-{index}"));
        run(folder.path(), &output, &["--shard", &format!("{index}/4")]);
        cases += run_lines(&output)[0]["cases"].as_array().unwrap().len();
        shards.push(output.join("run.jsonl"));
    }
    assert_eq!(cases, run_lines(&place("one"))[0]["cases"].as_array().unwrap().len(), "each case is in one shard");
    let merge = |runs: &[&PathBuf], output: &str| {
        let mut merge = command(folder.path(), &["merge"]);
        merge.arg("--output").arg(place(output)).args(runs);
        merge
    };
    // In any order.
    let text = output_of(&mut merge(&[&shards[2], &shards[0], &shards[3], &shards[1]], "merged"), 0);
    assert!(text.contains(&format!("{cases} cases of 4 shards, 0 failed")), "{text}");
    assert_eq!(digests(&place("merged")), digests(&place("one")));
    let report = |of: &str| {
        let mut report = command(folder.path(), &["report", "--format", "csv"]);
        output_of(report.arg(place(of).join("run.jsonl")).arg("--output").arg(place(of)), 0);
        exact(&std::fs::read_to_string(place(of).join("report.csv")).unwrap())
    };
    assert_eq!(report("merged"), report("one"), "byte for byte, every exact value");
    let compared = output_of(&mut command(folder.path(), &["compare", place("merged").join("run.jsonl").to_str().unwrap()]), 0);
    assert!(compared.contains("pass: nothing got worse"), "a part of 'mini' is held to its baseline:\n{compared}");

    let error = error_of(&mut merge(&[&shards[0], &shards[1], &shards[3]], "no"), 4);
    assert!(error.contains("of 4 shards these are missing: 3"), "{error}");
    let error = error_of(&mut merge(&[&shards[0], &shards[1], &shards[1], &shards[3]], "no"), 2);
    assert!(error.contains("shard 2 is there twice"), "{error}");
    let error = error_of(&mut merge(&[&place("one").join("run.jsonl")], "no"), 2);
    assert!(error.contains("is no shard of a run; make it with 'weighbridge run --shard'"), "{error}");
    run(folder.path(), &place("other"), &["--kernel", "int*", "--shard", "2/4"]);
    let error = error_of(&mut merge(&[&shards[0], &place("other").join("run.jsonl"), &shards[2], &shards[3]], "no"), 2);
    assert!(error.contains("do not belong together: the list of cases"), "{error}");

    // A shard that was killed before its last case.
    let torn = place("torn.jsonl");
    let text = std::fs::read_to_string(&shards[3]).unwrap();
    let keep = text.lines().count() - 2;
    std::fs::write(&torn, text.lines().take(keep).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    let error = error_of(&mut merge(&[&shards[0], &shards[1], &shards[2], &torn], "no"), 4);
    assert!(error.contains("is not finished") && error.contains("measure its shard again"), "{error}");
    // A case in two shards.
    let doubled = place("doubled.jsonl");
    let first = std::fs::read_to_string(&shards[0]).unwrap();
    let case = |l: &&str| l.contains("\"record\":\"measured\"") || l.contains("\"record\":\"evaluated\"");
    let strange: Vec<&str> = first.lines().filter(case).collect();
    let mut header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let mut all = header["cases"].as_array().unwrap().clone();
    all.extend(run_lines(&place("shard-1"))[0]["cases"].as_array().unwrap().iter().cloned());
    header["cases"] = Value::Array(all);
    let lines: Vec<String> = std::iter::once(header.to_string())
        .chain(text.lines().skip(1).filter(case).map(str::to_owned))
        .chain(strange.into_iter().map(str::to_owned))
        .collect();
    std::fs::write(&doubled, lines.join("\n") + "\n").unwrap();
    let error = error_of(&mut merge(&[&shards[0], &shards[1], &shards[2], &doubled], "no"), 4);
    assert!(error.contains("is in two shards"), "{error}");
    assert!(!place("no").join("run.jsonl").exists(), "nothing is written that is not whole");

    let error = error_of(&mut command(folder.path(), &[&["run"], &CASES[..], &["--shard", "5/4"]].concat()), 2);
    assert!(error.contains("write the second of four parts as '2/4'"), "{error}");
}

#[test]
fn a_dry_run_measures_nothing_and_knows_the_last_run() {
    let folder = project();
    let dry = |more: &[&str]| output_of(&mut command(folder.path(), &[&["run", "--dry-run"], &CASES[..], more].concat()), 0);
    let before = dry(&[]);
    assert!(before.contains("12 cases, ") && before.contains("no run here has these cases"), "{before}");
    assert!(before.lines().any(|l| l.contains("int8") && l.contains("mlp-mnist") && l.contains("estimate")), "{before}");
    assert!(!folder.path().join("reports").join("run.jsonl").exists());
    assert!(dry(&["--shard", "1/4"]).contains(", shard 1 of 4 (12 cases), "));
    output_of(&mut command(folder.path(), &[&["run", "--quiet", "--kernel", "int8"], &CASES[..]].concat()), 0);
    let after = dry(&[]);
    assert!(after.contains("10 of them estimated from committed times and sizes, the others as in"), "{after}");
    assert!(after.lines().any(|l| l.contains("int8") && l.contains("mlp-mnist") && l.contains("last run")), "{after}");
}

#[test]
fn the_quick_suite_is_judged_by_its_part_of_minis_baseline() {
    let folder = project();
    let text = output_of(&mut command(folder.path(), &["gate", "--suite", "smoke", "--quiet", "--time-per-case", "10ms"]), 0);
    assert!(text.contains("pass: nothing got worse") && text.contains("0 missing"), "{text}");
    let error = error_of(&mut command(folder.path(), &["baseline", "accept", "--yes"]), 2);
    assert!(error.contains("suite 'smoke' is judged by the baseline of 'mini': accept a run of that one"), "{error}");
    // What its cases lack is missed, what others have is not.
    let path = folder.path().join("baselines/mini.jsonl");
    let lines = std::fs::read_to_string(&path).unwrap();
    let extra = |kernel: &str| format!("{{\"kernel\":\"{kernel}\",\"fixture\":\"mlp-mnist\",\"metric\":\"perplexity\",\"value\":4.0}}\n");
    std::fs::write(&path, lines.clone() + &extra("hqq")).unwrap();
    let run = folder.path().join("reports/run.jsonl");
    let judge = |code| output_of(command(folder.path(), &["gate", "--quiet"]).arg("--run").arg(&run), code);
    assert!(judge(0).contains("0 missing"));
    std::fs::write(&path, lines + &extra("int8")).unwrap();
    assert!(judge(4).contains("1 missing"));
}

/// A policy in which everything is sampled above no size, tasks too.
const SAMPLE: &str = "
[suites.sampled]
kernels = [\"seedlm:bits=3\", \"int8\", \"zstd\"]
reason = \"test\"

[[suites.sampled.sample]]
kernels = [\"seedlm*\", \"zstd\"]
above-parameters = 400_000
tasks-above-parameters = 400_000
parameters = 40_000
reason = \"test\"

[[suites.sampled.limit]]
above-parameters = 600_000
kernels = [\"int8\"]
reason = \"large ones are slow\"
";

/// A project with suite `sampled`, whose fixtures are the committed ones of that name.
fn sampled_project() -> tempfile::TempDir {
    let folder = project();
    let fixtures = folder.path().join("fixtures");
    std::fs::remove_file(&fixtures).unwrap();
    std::fs::create_dir(&fixtures).unwrap();
    let repository = crate::support::repository().join("fixtures");
    for part in ["weights", "data"] {
        std::os::unix::fs::symlink(repository.join(part), fixtures.join(part)).unwrap();
    }
    for name in ["mlp-mnist", "cnn-mnist", "gpt-moby"] {
        let text = std::fs::read_to_string(repository.join(format!("{name}.toml"))).unwrap();
        let text = text
            .replace("suites = [\"mini\", \"smoke\"]", "suites = [\"sampled\"]")
            .replace("suites = [\"mini\"]", "suites = [\"sampled\"]");
        std::fs::write(fixtures.join(format!("{name}.toml")), text).unwrap();
    }
    let policy = folder.path().join("baselines/policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text + SAMPLE).unwrap();
    folder
}

#[test]
fn samples_repeat_and_are_marked_in_every_report_with_their_errors() {
    let folder = sampled_project();
    let run = |output: &str, more: &[&str]| {
        let arguments = [&["run", "--suite", "sampled", "--quiet", "--time-per-case", "10ms", "--format", "jsonl"], more].concat();
        exact(&output_of(command(folder.path(), &arguments).arg("--output").arg(folder.path().join(output)), 0))
    };
    let first = run("a", &[]);
    assert_eq!(run("b", &["--threads", "2"]), first, "the same samples, the same bytes");
    let whole = run("whole", &["--whole"]);
    let value = |lines: &[String], kernel: &str, fixture: &str, metric: &str| -> Option<Value> {
        let rows = lines.iter().map(|l| serde_json::from_str::<Value>(l).unwrap());
        rows.into_iter().find(|r| r["kernel"] == kernel && r["fixture"] == fixture && r["metric"] == metric)
    };
    let both = |kernel: &str, metric: &str| [&first, &whole].map(|lines| value(lines, kernel, "mlp-mnist", metric).unwrap());
    let [sampled, true_one] = both("seedlm:bits=3", "compression_ratio");
    assert_eq!(sampled, true_one, "sizes of seedlm follow from shapes: the ratio is that of the whole model, without an error");
    let [sampled, true_one] = both("zstd", "compression_ratio");
    assert!(sampled["standard-error"].as_f64().unwrap() >= 0.0 && true_one["standard-error"].is_null(), "{sampled} {true_one}");
    let [sampled, true_one] = both("seedlm:bits=3", "relative_error");
    let (found, error) = (sampled["value"].as_f64().unwrap(), sampled["standard-error"].as_f64().unwrap());
    assert!(error > 0.0 && (found - true_one["value"].as_f64().unwrap()).abs() < 5.0 * error, "{sampled} {true_one}");
    assert!(value(&first, "seedlm:bits=3", "mlp-mnist", "top1_accuracy").is_none(), "a part of a network does no task");
    assert!(value(&first, "seedlm:bits=3", "cnn-mnist", "top1_accuracy").is_some(), "a small model is measured whole");
    assert!(value(&first, "int8", "gpt-moby", "perplexity").is_some() && value(&first, "zstd", "gpt-moby", "bits_per_weight").is_none());
    assert!(value(&whole, "zstd", "gpt-moby", "bits_per_weight").is_some(), "'--whole' knows no limits");

    let file = folder.path().join("a/run.jsonl");
    let report = |format: &str| {
        let mut compare = command(folder.path(), &["compare", "--format", format]);
        output_of(compare.arg("--against").arg(&file).arg(&file), 0)
    };
    let near = |text: &str, wanted: &[&str]| text.lines().any(|l| wanted.iter().all(|w| l.contains(w)));
    for format in ["terminal", "markdown"] {
        let text = report(format);
        assert!(near(&text, &["seedlm:bits=3", "mlp-mnist", "≈", "±", "exact"]), "{format}:\n{text}");
        assert!(text.contains("Models of more than 600000 parameters were measured with int8 only: large ones are slow"), "{text}");
    }
    assert!(near(&report("markdown"), &["seedlm:bits=3", "mlp-mnist", "relative_error", "≈ "]));
    assert!(near(&report("csv"), &["seedlm:bits=3,mlp-mnist,relative_error", "sample"]));
    assert!(!near(&report("csv"), &["seedlm:bits=3,mlp-mnist,compression_ratio", "sample"]), "it is exact");
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    let marked: Vec<_> =
        json["rows"].as_array().unwrap().iter().filter(|r| r["estimate"] == true && r["metric"] == "relative_error").collect();
    assert_eq!((marked.len(), json["sampled"].as_array().unwrap().len()), (2, 2), "{marked:?}");
    assert!(marked.iter().all(|r| r["standard-error"].is_number() && r["fixture"] == "mlp-mnist"), "{marked:?}");
}
