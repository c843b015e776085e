//! A run killed at any moment: baselines stay as they were, and the run is resumed without repeating finished cases.

use std::process::{Command, Stdio};
use std::time::Duration;

use weighbridge::sample::uniform;

use crate::support::{contents, error_of, output_of, project, run_lines, weighbridge};

const CASES: [&str; 6] = ["--kernel", "int*", "--fixture", "*-mnist", "--time-per-case", "30ms"];

/// Lines of a kind in a run file.
fn count(lines: &[serde_json::Value], kind: &str) -> usize {
    lines.iter().filter(|l| l["record"] == kind).count()
}

#[test]
fn a_killed_run_is_resumed_and_baselines_are_untouched() {
    let folder = project();
    let output = folder.path().join("out");
    let before = contents(&folder.path().join("baselines"));
    let mut killed_in_the_middle = 0;
    for attempt in 0..12u64 {
        // A moment anywhere between the start and beyond the end.
        let delay = Duration::from_secs_f64(0.02 + 1.5 * uniform(7, attempt));
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        command.args(["gate", "--quiet", "--root"]).arg(folder.path()).arg("--output").arg(&output).args(CASES);
        if attempt % 2 == 1 {
            command.arg("--resume");
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        let running = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        killed_in_the_middle += usize::from(running);
        assert_eq!(contents(&folder.path().join("baselines")), before);
    }
    assert!(killed_in_the_middle > 0, "no attempt was killed while it ran");

    // Kill once more, certainly after the first result and before the last.
    let mut child = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .args(["run", "--quiet", "--root"])
        .arg(folder.path())
        .arg("--output")
        .arg(&output)
        .args(CASES)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let measured = || std::fs::read_to_string(output.join("run.jsonl")).map_or(0, |t| t.matches("\"record\":\"measured\"").count());
    // The old file is there until the new run replaces it.
    while !(measured() >= 1 && measured() <= 4) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = count(&run_lines(&output), "measured");
    assert!(kept >= 1);

    let resume = |code| {
        let mut command = weighbridge();
        command.args(["gate", "--resume", "--root"]).arg(folder.path()).arg("--output").arg(&output).args(CASES);
        output_of(&mut command, code)
    };
    assert!(resume(0).contains("pass: nothing got worse"));
    let lines = run_lines(&output);
    let cases = lines[0]["cases"].as_array().unwrap().len();
    assert_eq!((count(&lines, "measured"), count(&lines, "evaluated")), (cases, cases), "each case once: {cases}");
    // Resuming a finished run measures nothing again.
    assert!(resume(0).contains("pass"));
    assert_eq!(run_lines(&output).len(), lines.len() + 1, "only its end is noted again");
}

/// What a terminal does on Ctrl-C: the whole process group gets the signal, workers in the middle of a case included.
#[test]
fn ctrl_c_fails_no_case_leaves_no_worker_and_is_resumed() {
    use std::os::unix::process::{CommandExt, ExitStatusExt};

    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

    let folder = project();
    for attempt in 0..4 {
        let output = folder.path().join(format!("out-{attempt}"));
        // Whoever runs the tests in the background of a script ignores the signal, and a child inherits that.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_weighbridge")]);
        command.args(["run", "--quiet", "--root"]).arg(folder.path()).arg("--output").arg(&output).args(CASES);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        while !std::fs::read_to_string(output.join("run.jsonl")).is_ok_and(|t| t.contains("\"record\":\"measured\"")) {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_secs_f64(0.2 * uniform(13, attempt)));
        let group = Pid::from_child(&child);
        kill_process_group(group, Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
        let gone = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            test_kill_process_group(group).is_err()
        });
        assert!(gone, "a worker outlives the run by five seconds");
        let lines = run_lines(&output);
        assert!(count(&lines, "measured") >= 1 && count(&lines, "failed") == 0, "{lines:?}");
        let mut resume = weighbridge();
        resume.args(["run", "--quiet", "--resume", "--root"]).arg(folder.path()).arg("--output").arg(&output).args(CASES);
        output_of(&mut resume, 0);
        let lines = run_lines(&output);
        assert_eq!((count(&lines, "measured"), count(&lines, "finished")), (lines[0]["cases"].as_array().unwrap().len(), 1));
    }
}

#[test]
fn a_run_of_other_cases_is_not_resumed() {
    let folder = project();
    let run = |kernel: &str| {
        let mut command = weighbridge();
        command.args(["run", "--quiet", "--resume", "--fixture", "mlp-mnist", "--time-per-case", "10ms", "--root"]);
        command.arg(folder.path()).args(["--kernel", kernel]);
        command
    };
    output_of(&mut run("int8"), 0);
    let error = error_of(&mut run("q8_0"), 2);
    assert!(error.contains("run.jsonl' cannot be resumed") && error.contains("other cases"), "{error}");
}

/// A command under which no file grows beyond that many blocks of 512 bytes: what a full disk looks like to a program.
fn limited(blocks: u32, arguments: &str, root: &std::path::Path) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_weighbridge");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {blocks}; exec {program} {arguments} --root {}", root.display())]);
    command.env("NO_COLOR", "1");
    command
}

#[test]
fn a_disk_that_takes_no_more_costs_its_case_and_the_run_goes_on() {
    let folder = project();
    // The run file fits, what the layers' calibration writes does not.
    let run = "run --quiet --kernel int8 --kernel int4 --fixture cnn-mnist --time-per-case 10ms";
    let output = limited(400, run, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    let lines = run_lines(&folder.path().join("reports"));
    let failed: Vec<_> = lines.iter().filter(|l| l["record"] == "failed").collect();
    assert_eq!(failed.len(), lines[0]["cases"].as_array().unwrap().len(), "each on its own: {lines:?}");
    let told = |l: &&serde_json::Value| l["stage"] == "calibrate" && l["message"].as_str().unwrap().contains("cannot write '");
    assert!(failed.iter().all(told), "{failed:?}");
    assert!(!folder.path().join("reports/scratch").exists(), "what was half written is gone");
}

#[test]
fn a_disk_that_takes_no_more_leaves_no_half_generated_weights() {
    let folder = project();
    let cache = folder.path().join("cache");
    let generate = "fixtures generate moe-small-generated";
    let error = error_of(limited(4000, generate, folder.path()).env("WEIGHBRIDGE_CACHE", &cache), 1);
    assert!(error.contains("moe-small-generated") && error.contains("File too large"), "{error}");
    let left = std::fs::read_dir(cache.join("generated")).unwrap().count();
    assert!(left == 0 && !cache.join("files").exists(), "{left} files are left");
}
