//! Dependencies that were built before: taken over from the folder this program was built in, so that the first comparison does not wait for
//! all of them again.
//!
//! This project's own packages are left out: cargo could not tell theirs from those of another checkout. Libraries, which no tool writes in place,
//! are linked; everything else is copied with its time, by which cargo tells what is fresh.

use std::path::Path;

/// Takes over `deps`, `build` and `.fingerprint` of a profile's folder; nothing where the target has them. Failing is no error: cargo builds then.
pub fn take_over(from: &Path, to: &Path) {
    if to.exists() || !from.join("deps").is_dir() {
        return;
    }
    let partial = to.with_extension("partial");
    let _ = std::fs::remove_dir_all(&partial);
    let copied =
        ["deps", "build", ".fingerprint"].iter().try_for_each(|name| copy_tree(&from.join(name), &partial.join(name), *name == "deps"));
    match copied.and_then(|()| std::fs::rename(&partial, to)) {
        Ok(()) => {}
        Err(_) => drop(std::fs::remove_dir_all(&partial)),
    }
}

/// Whether a file or folder belongs to this project's own packages.
fn is_own(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.strip_prefix("lib").unwrap_or(&name).starts_with("weighbridge")
}

/// Whether a file is a library that dependents read.
fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|e| ["rlib", "rmeta", "so", "dylib", "a"].iter().any(|known| e == *known))
}

fn copy_tree(from: &Path, to: &Path, libraries_only: bool) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, metadata) = (entry.path(), to.join(entry.file_name()), entry.metadata()?);
        if is_own(&entry.file_name()) {
            continue;
        }
        if metadata.is_dir() {
            copy_tree(&source, &target, libraries_only)?;
        } else if is_library(&source) && std::fs::hard_link(&source, &target).is_ok() {
        } else if metadata.is_file() && (!libraries_only || is_library(&source) || source.extension().is_some_and(|e| e == "d")) {
            std::fs::copy(&source, &target)?;
            std::fs::File::options().write(true).open(&target)?.set_modified(metadata.modified()?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fresh_stays_fresh_and_programs_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("release"), folder.path().join("shared/release"));
        for (path, text) in [
            ("deps/liba.rlib", "a"),
            ("deps/a.d", "d"),
            ("deps/test-1", "t"),
            ("build/b/out", "o"),
            (".fingerprint/f", "f"),
            ("deps/libweighbridge-1.rlib", "w"),
            ("build/weighbridge-harness-1/out", "w"),
        ] {
            let path = from.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        }
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        take_over(&from, &to);
        for path in ["deps/liba.rlib", "deps/a.d", "build/b/out", ".fingerprint/f"] {
            let modified = |root: &Path| std::fs::metadata(root.join(path)).unwrap().modified().unwrap();
            assert_eq!(modified(&from), modified(&to), "{path}");
        }
        for path in ["deps/test-1", "deps/libweighbridge-1.rlib", "build/weighbridge-harness-1"] {
            assert!(!to.join(path).exists(), "{path}");
        }
        std::fs::write(to.join(".fingerprint/f"), "changed").unwrap();
        assert_eq!(std::fs::read_to_string(from.join(".fingerprint/f")).unwrap(), "f", "what cargo writes in place is a copy");
        std::fs::write(to.join("deps/a.d"), "mine").unwrap();
        take_over(&from, &to);
        assert_eq!(std::fs::read_to_string(to.join("deps/a.d")).unwrap(), "mine", "a folder that is there is left as it is");
    }
}
