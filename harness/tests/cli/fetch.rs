//! Fetching, with clients that are scripts: what comes whole is used, and whatever else comes leaves the cache sound.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use assert_cmd::Command;

use crate::registry::{Made, Place, digest};
use crate::support::{error_of, output_of, run_lines};

#[test]
fn what_is_fetched_is_listed_measured_and_not_fetched_again() {
    let place = Place::new();
    let a = place.fixture("a", &Made::wheel("a", 1));
    place.fixture("b", &Made::wheel("b", 2));
    place.serve(&a);
    let state = |name: &str| {
        let list = output_of(&mut place.command(&["fixtures", "list", "--format", "json"]), 0);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        assert_eq!(rows.iter().filter(|r| r["fixture"] == "none").count(), 23, "every other cell is empty, and said to be");
        rows.iter().find(|r| r["fixture"] == name).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("a"), "to fetch");

    let nothing = error_of(&mut place.command(&["run", "--suite", "full", "--kernel", "int8"]), 4);
    assert!(nothing.contains("a (not fetched), b (not fetched)") && nothing.contains("fixtures fetch"), "{nothing}");

    let text = output_of(&mut place.command(&["fixtures", "fetch", "a"]), 0);
    assert!(text.starts_with("1 fetched, 0 there before, 0 failed"), "{text}");
    assert_eq!((state("a").as_str(), state("b").as_str()), ("cached", "to fetch"));
    let again = output_of(&mut place.command(&["fixtures", "fetch", "a", "--offline"]), 0);
    assert!(again.starts_with("0 fetched, 1 there before"), "{again}");
    assert_eq!(place.calls().len(), 1);
    assert!(place.calls()[0].contains("download --no-deps --only-binary :all:") && place.calls()[0].ends_with("a==1.0"));
    assert_eq!(place.cached("packages").len() + place.cached("containers").len(), 0, "only what fixtures use stays");

    let output = place.root().join("out");
    let mut run = place.command(&["run", "--suite", "full", "--kernel", "int8", "--time-per-case", "10ms", "--output"]);
    output_of(run.arg(&output), 0);
    let header = &run_lines(&output)[0];
    assert_eq!(header["not-measured"], serde_json::json!([{ "fixture": "b", "reason": "not fetched" }]));
    let mut compare = place.command(&["compare", "--format", "markdown", "--against"]);
    let report = output_of(compare.arg(output.join("run.jsonl")).arg(output.join("run.jsonl")), 0);
    assert!(report.contains("Not measured: b (not fetched); 'weighbridge fixtures fetch'"), "{report}");
    let checked = output_of(&mut place.command(&["verify"]), 0);
    assert!(checked.contains("fixture a: hashes") && checked.contains("fixture b: not checked, not fetched"), "{checked}");
}

#[test]
fn a_tampered_package_is_an_error_and_nothing_of_it_is_used() {
    let place = Place::new();
    let made = place.fixture("a", &Made::wheel("a", 1));
    let mut tampered = made.package.clone();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 1;
    place.serve_bytes("a", &tampered);
    let error = error_of(&mut place.command(&["fixtures", "fetch"]), 2);
    assert!(error.contains("PyPI a 1.0 has sha256") && error.contains(&digest(&made.package)), "{error}");
    place.assert_sound(&[]);
    place.serve(&made);
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn a_download_cut_short_is_an_error_and_the_next_one_succeeds() {
    let place = Place::new();
    let made = place.fixture("a", &Made::wheel("a", 1));
    place.serve_bytes("a", &made.package[..made.package.len() / 3]);
    let error = error_of(&mut place.command(&["fixtures", "fetch"]), 1);
    let (found, expected) = (made.package.len() / 3, made.package.len());
    assert!(error.contains(&format!("PyPI a 1.0 is cut short: {found} of {expected} bytes came")), "{error}");
    place.assert_sound(&[]);
    place.serve(&made);
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn a_file_that_is_not_the_one_in_the_manifest_is_named() {
    let place = Place::new();
    let made = Made::wheel("a", 1);
    place.serve(&made);
    let with = |from: &str, to: &str| {
        let text = made.manifest("a");
        assert!(text.contains(from), "{from} is not in {text}");
        place.write_manifest("a", &text.replacen(from, to, 1));
        error_of(&mut place.command(&["fixtures", "fetch"]), 2)
    };
    let other = digest(b"other");
    let error = with(&digest(&made.container), &other);
    assert!(error.contains("'a/w.safetensors' of PyPI a 1.0 has sha256") && error.contains(&other), "{error}");
    let error = with("a/w.safetensors", "a/v.safetensors");
    assert!(error.contains("PyPI a 1.0: it has no file 'a/v.safetensors'"), "{error}");
    let error = with("parameters = 256", "parameters = 255");
    assert!(error.contains("fixture 'a' holds 256 parameters, its manifest says 255"), "{error}");
    let error = with("dtype = \"F32\"", "dtype = \"F16\"");
    assert!(error.contains("'w' is F32, not F16"), "{error}");
    let error = with("format = \"safetensors\"", "format = \"gguf\"");
    assert!(error.contains("'a/w.safetensors' as gguf: not a GGUF file"), "{error}");
    let error = with(&made.converted_sha256, &other);
    assert!(error.contains("the converted file of 'a' has sha256") && error.contains(&made.converted_sha256), "{error}");
    place.write_manifest("a", &made.manifest("a"));
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    assert_eq!(place.calls().len(), 1, "the package came once and was kept for the next try");
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn without_a_network_the_registry_is_asked_once_and_named() {
    let place = Place::new();
    for name in ["a", "b"] {
        place.fixture(name, &Made::wheel(name, 1));
    }
    place.client("pip", "echo \"WARNING: Retrying after connection broken: [Errno 101] Network is unreachable\" >&2; exit 1");
    let error = error_of(&mut place.command(&["fixtures", "fetch"]), 1);
    assert!(error.contains("a: cannot reach PyPI: Network is unreachable; fetch PyPI a 1.0 when connected"), "{error}");
    assert!(error.contains("b: PyPI b 1.0 was not asked for: PyPI failed before"), "{error}");
    assert_eq!(place.calls().len(), 1);
    let error = error_of(&mut place.command(&["fixtures", "fetch", "--offline", "b"]), 4);
    assert!(error.contains("PyPI b 1.0 is not in the cache, and '--offline' forbids"), "{error}");
    assert_eq!(place.calls().len(), 1);
    place.assert_sound(&[]);
}

#[test]
fn a_client_that_is_missing_or_fails_is_named() {
    let place = Place::new();
    place.fixture("a", &Made::wheel("a", 1));
    let error = error_of(place.command(&["fixtures", "fetch"]).env("PATH", place.root().join("empty")), 1);
    assert!(error.contains("'pip' is not on the path, and PyPI a 1.0 comes through it"), "{error}");
    place.client("pip", "echo 'ERROR: No matching distribution found for a==1.0' >&2; exit 1");
    let error = error_of(&mut place.command(&["fixtures", "fetch"]), 1);
    assert!(error.contains("'pip' did not get PyPI a 1.0: ERROR: No matching distribution"), "{error}");
    place.client("pip", "exit 0");
    let error = error_of(&mut place.command(&["fixtures", "fetch"]), 1);
    assert!(error.contains("it left 0 files"), "{error}");
    let error = error_of(&mut place.command(&["fixtures", "fetch", "c"]), 2);
    assert!(error.contains("unknown fixture 'c'"), "{error}");
    place.assert_sound(&[]);
}

#[test]
fn a_disk_that_takes_no_more_leaves_the_cache_sound() {
    let place = Place::new();
    let made = place.fixture("a", &Made::wheel("a", 1));
    place.serve(&made);
    // No file may grow beyond 2 blocks of 512 bytes: the package still comes, because its client is not limited; the weights do not fit.
    let program = env!("CARGO_BIN_EXE_weighbridge");
    let mut limited = Command::new("sh");
    place.dress(&mut limited);
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -S -f 2; exec {program} fixtures fetch --root {}", place.root().display())]);
    place.client("pip", &format!("ulimit -S -f unlimited; {}", place.copying("a")));
    let error = error_of(&mut limited, 1);
    assert!(error.contains("cannot write '") && error.contains("w.safetensors'"), "{error}");
    place.assert_sound(&[]);
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    assert_eq!(place.calls().len(), 1, "the package was kept");
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn a_damaged_file_is_named_and_replaced() {
    let place = Place::new();
    let made = place.fixture("a", &Made::wheel("a", 1));
    place.serve(&made);
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    let path = place.cached("files").into_iter().find(|p| p.ends_with("a.safetensors")).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = error_of(&mut place.command(&["run", "--suite", "full", "--kernel", "int8"]), 2);
    assert!(error.contains("a.safetensors' is damaged") && error.contains("fixtures fetch a"), "{error}");
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn two_fetches_at_once_take_turns() {
    let place = Place::new();
    let made = place.fixture("a", &Made::wheel("a", 1));
    place.serve(&made);
    place.client("pip", &format!("sleep 1; {}", place.copying("a")));
    let start = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        command.args(["fixtures", "fetch", "--root"]).arg(place.root()).envs(place.environment());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let said = outputs.map(|o| format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr)));
    assert!(said.iter().any(|s| s.contains("1 fetched")) && said.iter().any(|s| s.contains("1 there before")), "{said:?}");
    assert!(said.iter().any(|s| s.contains("another fetch holds the cache")), "{said:?}");
    assert_eq!(place.calls().len(), 1);
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn a_fetch_that_is_killed_is_begun_again() {
    let place = Place::new();
    let made = place.fixture("a", &Made::wheel("a", 1));
    place.serve(&made);
    // Half of it comes, then nothing for a while.
    place.client("pip", &format!("{}; sleep 3", place.copying("a").replace("cat ", "head -c 600 ")));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_weighbridge"));
    command.args(["fixtures", "fetch", "--quiet", "--root"]).arg(place.root()).envs(place.environment());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while place.cached("partial").iter().all(|p| !p.ends_with("a.whl")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the download never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    place.assert_sound(&[]);
    place.serve(&made);
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    assert_eq!(place.cached("partial"), Vec::<PathBuf>::new(), "what was left lying is cleared");
    place.assert_sound(&["a.safetensors", "notes.txt"]);
}

#[test]
fn packages_of_npm_and_debian_are_unpacked_too() {
    let place = Place::new();
    let npm = place.fixture("n", &Made::npm(3));
    let deb = place.fixture("d", &Made::deb("d", 4));
    let npm_copy = format!("while [ \"$1\" != --pack-destination ]; do shift; done; cat {} > \"$2/n.tgz\"", place.put("n", &npm.package));
    place.client("npm", &npm_copy);
    place.client("apt-get", &format!("cat {} > d.deb", place.put("d", &deb.package)));
    output_of(&mut place.command(&["fixtures", "fetch"]), 0);
    assert!(place.calls().iter().any(|c| c.starts_with("apt-get download -q d:amd64=1.0")), "{:?}", place.calls());
    assert!(place.calls().iter().any(|c| c.starts_with("npm pack --ignore-scripts")), "{:?}", place.calls());
    place.assert_sound(&["d.safetensors", "n.safetensors", "notes.txt"]);
    assert!(!place.root().join("escaped").exists() && !Path::new("/tmp/weighbridge-escaped").exists());
}

#[test]
fn a_file_of_weights_is_converted_without_running_it() {
    let place = Place::new();
    let made = Made::wheel("a", 1);
    let (input, output) = (place.put("w", &made.container), place.root().join("out.safetensors"));
    let convert = |format: &str, file: &str, more: &[&str], code: i32| {
        let mut command = place.bare();
        command.args(["fixtures", "convert", format, file, "--output"]).arg(&output).args(more);
        if code == 0 { output_of(&mut command, 0) } else { error_of(&mut command, code) }
    };
    let text = convert("safetensors", &input, &["--rename", "w=layer.weight"], 0);
    assert!(text.contains("1 tensors, 256 parameters, sha256"), "{text}");
    let file = weighbridge::safefile::SafeFile::open(&output).unwrap();
    assert_eq!(file.names(), ["layer.weight"]);
    std::fs::remove_file(&output).unwrap();
    assert!(convert("pickle", &input, &[], 2).contains("unknown format 'pickle'; known formats: npz"));
    assert!(convert("safetensors", &input, &["--exclude", "x*"], 2).contains("pattern 'x*' fits no tensor"));
    let malicious = crate::registry::torch_file(b"\x80\x02cos\nsystem\nX\x04\0\0\0trueR.");
    let error = convert("torch", &place.put("m", &malicious), &[], 2);
    assert!(error.contains("the pickle names 'os.system', which is not read"), "{error}");
    assert!(!output.exists());
}
