//! The registries' ordinary clients: pip, npm, apt-get.
//!
//! Each is asked for one package, without its dependencies, and puts one file into an empty folder. Names and versions were checked when the
//! manifest was read, so that none can be taken for an option. What the clients say is kept for the error.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use super::FetchError;
use crate::fixture::{Package, Registry};

/// How often a running client's progress is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How much of what a client says is kept.
const KEPT_BYTES: usize = 1 << 16;
/// What a client that is not connected says, in lower case.
const NOT_CONNECTED: &[&str] = &[
    "network is unreachable",
    "name resolution",
    "name or service not known",
    "failed to establish a new connection",
    "could not resolve",
    "temporary failure resolving",
    "could not connect",
    "unable to connect",
    "connection refused",
    "connection timed out",
    "enotfound",
    "eai_again",
    "econnrefused",
    "etimedout",
    "enetunreach",
];

/// Name of a registry's client.
pub const fn name(registry: Registry) -> &'static str {
    match registry {
        Registry::Pypi => "pip",
        Registry::Npm => "npm",
        Registry::Debian => "apt-get",
    }
}

/// The command that puts a package's file into `folder`.
fn command(package: &Package, folder: &Path) -> Command {
    let mut command = Command::new(name(package.registry));
    match package.registry {
        Registry::Pypi => {
            command.args(["download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--retries", "2"]);
            command.args(["--progress-bar", "off", "--disable-pip-version-check", "-d"]).arg(folder);
            if let Some(python) = &package.python {
                command.args(["--implementation", "cp", "--python-version", python]);
            }
            if let Some(platform) = &package.platform {
                command.args(["--platform", platform]);
            }
            command.arg(format!("{}=={}", package.name, package.version));
        }
        Registry::Npm => {
            command.args(["pack", "--ignore-scripts", "--loglevel", "error", "--pack-destination"]).arg(folder);
            command.arg(format!("{}@{}", package.name, package.version));
        }
        Registry::Debian => {
            let architecture = package.platform.as_ref().map_or_else(String::new, |p| format!(":{p}"));
            command.args(["download", "-q"]).arg(format!("{}{architecture}={}", package.name, package.version));
        }
    }
    command
}

/// Downloads a package into `folder`, which must be empty; `progress` is told how many bytes have come.
pub fn download(package: &Package, folder: &Path, progress: &dyn Fn(u64)) -> Result<PathBuf, FetchError> {
    let client = name(package.registry);
    // Both below the folder: what a client keeps beside the package would otherwise land on another disk.
    let (came, scratch) = (folder.join("package"), folder.join("scratch"));
    for path in [&came, &scratch] {
        std::fs::create_dir(path).map_err(FetchError::io("create", path))?;
    }
    let mut command = command(package, &came);
    command.current_dir(&came).env("TMPDIR", &scratch).env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => FetchError::NoClient { client, package: package.to_string() },
        _ => FetchError::Io { action: "run", path: client.into(), source },
    })?;
    // What it says is kept in memory: the disk may be what is full.
    let said = [child.stderr.take().map(listen), child.stdout.take().map(listen)];
    let status = loop {
        match child.try_wait().map_err(FetchError::io("run", client))? {
            Some(status) => break status,
            None => std::thread::sleep(POLL),
        }
        progress(bytes_below(folder));
    };
    let said = said.map(|listener| listener.and_then(|l| l.join().ok()).unwrap_or_default());
    if !status.success() {
        let text = said.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
        return Err(failure(package, &status.to_string(), &text));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&came).map_err(FetchError::io("read", &came))? {
        files.push(entry.map_err(FetchError::io("read", &came))?.path());
    }
    match files.as_slice() {
        [file] if file.symlink_metadata().is_ok_and(|m| m.is_file()) => Ok(file.clone()),
        _ => {
            let message = format!("it left {} files where one was expected", files.len());
            Err(FetchError::Client { client, package: package.to_string(), message, hint: "" })
        }
    }
}

/// Reads what a client says to its end; of much the end is kept.
fn listen(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            said.extend_from_slice(&chunk[..count]);
            if said.len() > 2 * KEPT_BYTES {
                said.drain(..said.len() - KEPT_BYTES);
            }
        }
        said
    })
}

/// What a client's failure means, from what it printed.
fn failure(package: &Package, status: &str, text: &str) -> FetchError {
    let client = name(package.registry);
    let lower = text.to_lowercase();
    if lower.contains("no space left on device") || lower.contains("enospc") || lower.contains("disk quota exceeded") {
        return FetchError::Full { path: package.to_string().into() };
    }
    // From the first sign to the end of its line: what stands before it are names of objects and times of retries.
    let sign = |line: &'_ str| NOT_CONNECTED.iter().filter_map(|sign| line.to_ascii_lowercase().find(sign)).min();
    if let Some(message) = text.lines().find_map(|line| sign(line).and_then(|at| line.get(at..))) {
        let message = shorten(message.split("')").next().unwrap_or(message));
        let registry = package.registry.name();
        return FetchError::Unreachable { registry, package: package.to_string(), message };
    }
    let last = text.lines().map(str::trim).rfind(|l| l.to_lowercase().contains("error") || l.starts_with("E:"));
    let last = last.or_else(|| text.lines().map(str::trim).rfind(|l| !l.is_empty()));
    let message = last.map_or_else(|| format!("it ended with {status} and said nothing"), shorten);
    let hint = match package.registry {
        Registry::Debian => "; 'apt-get update' may be due, and other releases have other versions",
        Registry::Pypi | Registry::Npm => "",
    };
    FetchError::Client { client, package: package.to_string(), message, hint }
}

/// A line of someone else's, without what would tear ours.
fn shorten(line: &str) -> String {
    line.trim().chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Bytes of all files below a folder; what cannot be looked at counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(registry: Registry, name: &str, version: &str) -> Package {
        let (python, platform) = (None, None);
        Package { registry, name: name.into(), version: version.into(), sha256: String::new(), bytes: 1, python, platform }
    }

    fn arguments(package: &Package) -> String {
        let command = command(package, Path::new("DIR"));
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_registry_has_its_client_and_command() {
        let mut wheel = package(Registry::Pypi, "gensim", "4.4.0");
        assert_eq!(
            arguments(&wheel),
            "pip download --no-deps --only-binary :all: --no-cache-dir --no-input --retries 2 --progress-bar off \
             --disable-pip-version-check -d DIR gensim==4.4.0"
        );
        wheel.python = Some("3.11".into());
        wheel.platform = Some("manylinux_2_28_x86_64".into());
        assert!(arguments(&wheel).ends_with("--implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64 gensim==4.4.0"));
        assert_eq!(
            arguments(&package(Registry::Npm, "@a/b", "1.0.0")),
            "npm pack --ignore-scripts --loglevel error --pack-destination DIR @a/b@1.0.0"
        );
        let mut deb = package(Registry::Debian, "alsa-utils", "1.2.8-1");
        deb.platform = Some("amd64".into());
        assert_eq!(arguments(&deb), "apt-get download -q alsa-utils:amd64=1.2.8-1");
    }

    #[test]
    fn failures_are_told_apart_by_what_the_client_says() {
        let of = |registry, text: &str| failure(&package(registry, "x", "1"), "exit status: 1", text);
        for text in [
            "WARNING: Retrying … Failed to establish a new connection: [Errno 101] Network is unreachable')': /simple/\nERROR: none",
            "npm error code EAI_AGAIN\nnpm error A complete log",
            "W: Temporary failure resolving 'x'\nE: Failed to fetch",
        ] {
            let error = of(Registry::Npm, text);
            assert!(error.is_registry_s() && error.to_string().starts_with("cannot reach npm: "), "{error}");
        }
        assert!(matches!(of(Registry::Pypi, "ERROR: [Errno 28] No space left on device"), FetchError::Full { .. }));
        let none = of(Registry::Debian, "Reading lists\nE: Version '1' for 'x' was not found\n").to_string();
        assert!(none.contains("'apt-get' did not get Debian x 1: E: Version '1'") && none.contains("apt-get update"), "{none}");
        assert!(of(Registry::Pypi, "").to_string().contains("said nothing"));
    }
}
