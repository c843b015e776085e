//! The manifest of a folder of golden artifacts: which file is which kernel's, its digest, and the digests of what it decodes to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weighbridge::artifact::FORMAT;

use super::{GoldenError, MODEL};
use crate::{files, fixture};

/// File name of the manifest.
pub const MANIFEST: &str = "manifest.toml";
/// Version of the manifest's form.
const VERSION: u32 = 1;

/// The folder of an artifact format, below the project's folder.
pub fn folder(root: &Path, format: u32) -> PathBuf {
    root.join(format!("fixtures/legacy/v{format}"))
}

/// One golden artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Specification it was encoded with.
    pub spec: String,
    /// Version of the kernel that encoded it.
    pub kernel_version: u32,
    /// Whether it was encoded with the made-up calibration statistics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub calibrated: bool,
    /// File name.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Why today's encoder writes other bytes, and since when; absent where it writes the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_changed: Option<String>,
    /// SHA-256 of each decoded tensor's bytes.
    pub decoded_sha256: BTreeMap<String, String>,
}

impl Entry {
    /// The name its file should have: the specification in characters that every file system takes.
    pub fn file_name(spec: &str, kernel_version: u32, calibrated: bool) -> String {
        let stem: String = spec.chars().map(|c| if matches!(c, ':' | '=' | ',') { '-' } else { c }).collect();
        let stem = stem.replace('|', "+");
        let calibrated = if calibrated { "-calibrated" } else { "" };
        let version = if kernel_version > 1 { format!("-version-{kernel_version}") } else { String::new() };
        format!("{stem}{calibrated}{version}.safetensors")
    }
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// The artifacts, in the order in which they were added.
    #[serde(default)]
    pub artifacts: Vec<Entry>,
}

/// What is appended for new artifacts.
#[derive(Serialize)]
struct Addition<'a> {
    artifacts: &'a [Entry],
}

impl Manifest {
    /// Reads and checks a folder's manifest, and that the model is the one it means.
    pub fn read(folder: &Path) -> Result<Self, GoldenError> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|source| GoldenError::Io { path: path.clone(), source })?;
        let manifest = Self::parse(&text).map_err(|message| GoldenError::Manifest { path, message })?;
        let path = folder.join(MODEL);
        let found = fixture::sha256(&path).map_err(|e| GoldenError::Manifest { path: path.clone(), message: e.to_string() })?;
        if found != manifest.model_sha256 {
            return Err(GoldenError::Model { path, expected: manifest.model_sha256, found });
        }
        Ok(manifest)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        if manifest.version != VERSION {
            return Err(format!("version {} is not {VERSION}, the one this release reads", manifest.version));
        }
        for (i, entry) in manifest.artifacts.iter().enumerate() {
            let name = Entry::file_name(&entry.spec, entry.kernel_version, entry.calibrated);
            if entry.file != name {
                return Err(format!("the file of '{}' is '{}'; it must be '{name}'", entry.spec, entry.file));
            }
            if manifest.artifacts[..i].iter().any(|other| other.file == entry.file) {
                return Err(format!("'{}' is listed twice", entry.file));
            }
        }
        Ok(manifest)
    }

    /// The entry of a specification.
    pub fn entry(&self, spec: &str, kernel_version: u32, calibrated: bool) -> Option<&Entry> {
        self.artifacts.iter().find(|e| e.spec == spec && e.kernel_version == kernel_version && e.calibrated == calibrated)
    }

    /// Writes the manifest of a new folder.
    pub fn create(folder: &Path, model_sha256: &str) -> Result<(), GoldenError> {
        let text = format!(
            "# Golden artifacts of artifact format {FORMAT}. 'weighbridge golden add' appends; what stands here stays as it is.\n\
             # Only 'encoder-changed' may be added to an entry: it says why today's encoder writes other bytes.\n\
             version = {VERSION}\nmodel-sha256 = \"{model_sha256}\"\n"
        );
        write(&folder.join(MANIFEST), &text)
    }

    /// Adds entries at the end; the text before them stays as it is.
    pub fn append(folder: &Path, entries: &[Entry]) -> Result<(), GoldenError> {
        let path = folder.join(MANIFEST);
        let old = std::fs::read_to_string(&path).map_err(|source| GoldenError::Io { path: path.clone(), source })?;
        let message = |e: toml::ser::Error| GoldenError::Manifest { path: path.clone(), message: e.to_string() };
        let addition = toml::to_string(&Addition { artifacts: entries }).map_err(message)?;
        let text = format!("{old}\n{addition}");
        Self::parse(&text).map_err(|message| GoldenError::Manifest { path: path.clone(), message })?;
        write(&path, &text)
    }
}

fn write(path: &Path, text: &str) -> Result<(), GoldenError> {
    files::replace(path, |out| out.write_all(text.as_bytes())).map_err(|source| GoldenError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "version = 1\nmodel-sha256 = \"00\"\n";

    fn parse(entry: &str) -> Result<Manifest, String> {
        Manifest::parse(&format!("{HEADER}[[artifacts]]\n{entry}"))
    }

    #[test]
    fn file_names_hold_no_character_that_a_file_system_refuses() {
        assert_eq!(Entry::file_name("int4", 1, false), "int4.safetensors");
        assert_eq!(Entry::file_name("bitnet:packing=tl2,scale=row", 2, false), "bitnet-packing-tl2-scale-row-version-2.safetensors");
        assert_eq!(Entry::file_name("int4:group=32|entropy|zstd", 1, true), "int4-group-32+entropy+zstd-calibrated.safetensors");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = "spec = \"int4\"\nkernel-version = 1\nfile = \"int4.safetensors\"\nsha256 = \"00\"\ndecoded-sha256 = {}\n";
        assert_eq!(parse(good).unwrap().artifacts.len(), 1);
        assert!(parse(&format!("{good}colour = 1")).unwrap_err().contains("colour"));
        assert!(parse(&format!("{good}[[artifacts]]\n{good}")).unwrap_err().contains("listed twice"));
        assert!(parse(&good.replace("int4.safe", "int5.safe")).unwrap_err().contains("it must be 'int4.safetensors'"));
        assert!(Manifest::parse("version = 2\nmodel-sha256 = \"\"").unwrap_err().contains("version 2"));
    }
}
