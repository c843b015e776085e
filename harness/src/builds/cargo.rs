//! Cargo as a process: builds the program, or links it anew with its sections in another order.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::BuildError;

/// Lines of the compiler that a message keeps.
const TAIL_LINES: usize = 12;

/// A folder to build in, and where what is built goes.
#[derive(Debug, Clone, Copy)]
pub struct Cargo<'a> {
    /// The side in words, for messages.
    pub what: &'a str,
    /// Workspace.
    pub source: &'a Path,
    /// Target folder.
    pub target: &'a Path,
}

/// Cargo's program: the one that runs this program, where it was run by cargo.
pub fn program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

impl Cargo<'_> {
    /// Builds the program in the release profile; with a seed its sections are shuffled by it, which needs a linker that can. Lines of progress
    /// go to `say`. Gives the program's path, which the next build overwrites.
    pub fn build(&self, seed: Option<u32>, say: &dyn Fn(&str)) -> Result<PathBuf, BuildError> {
        let mut arguments: Vec<String> =
            ["rustc", "--release", "--locked", "-p", "weighbridge-harness", "--bin", "weighbridge"].map(str::to_owned).into();
        arguments.push("--message-format=json-render-diagnostics".to_owned());
        if let Some(seed) = seed {
            arguments.extend(["--".to_owned(), format!("-Clink-arg=-Wl,--shuffle-sections=.text*={seed}")]);
        }
        let program = program();
        let mut child = Command::new(&program)
            .args(&arguments)
            .current_dir(self.source)
            .env("CARGO_TARGET_DIR", self.target)
            .env("CARGO_TERM_COLOR", "never")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| BuildError::NoCargo { program: program.clone(), source })?;
        let stdout = child.stdout.take();
        let messages = std::thread::spawn(move || stdout.map(executable).unwrap_or_default());
        let mut tail = VecDeque::new();
        for line in child.stderr.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
            if line.trim_start().starts_with("Compiling") {
                say(line.trim());
            }
            if !line.trim().is_empty() {
                tail.push_back(line);
            }
            if tail.len() > TAIL_LINES {
                tail.pop_front();
            }
        }
        let status = child.wait().map_err(|source| BuildError::NoCargo { program, source })?;
        let executable = messages.join().unwrap_or_default();
        if !status.success() {
            let lines: Vec<String> = tail.into_iter().collect();
            return Err(BuildError::Failed {
                what: self.what.to_owned(),
                command: format!("cargo {}", arguments.join(" ")),
                folder: self.source.to_owned(),
                status: status.to_string(),
                tail: lines.join("\n"),
            });
        }
        executable.ok_or_else(|| BuildError::NoProgram { what: self.what.to_owned() })
    }
}

/// The program that cargo's messages name.
fn executable(messages: impl Read) -> Option<PathBuf> {
    let mut found = None;
    for line in BufReader::new(messages).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let is_program = message["reason"] == "compiler-artifact" && message["target"]["name"] == "weighbridge";
        if let Some(path) = message["executable"].as_str().filter(|_| is_program) {
            found = Some(PathBuf::from(path));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_the_messages_name() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"build-script-build\"},\"executable\":\"/t/build\"}\n",
            "not json\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"weighbridge\"},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"weighbridge\"},\"executable\":\"/t/release/weighbridge\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable(messages.as_bytes()), Some(PathBuf::from("/t/release/weighbridge")));
        assert_eq!(executable(&b"{\"reason\":\"build-finished\"}\n"[..]), None);
    }

    #[test]
    fn what_does_not_build_is_told_with_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"other\"\nversion = \"0.0.0\"\nedition = \"2024\"\n").unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        let target = folder.path().join("target");
        let cargo = Cargo { what: "commit 0123", source: folder.path(), target: &target };
        let error = cargo.build(Some(1), &|_| ()).unwrap_err();
        assert!(matches!(error, BuildError::Failed { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("commit 0123 does not build") && text.contains("--shuffle-sections=.text*=1"), "{text}");
        assert!(text.contains("lock"), "the reason, a lock file that is not there, is in the last lines: {text}");
    }
}
