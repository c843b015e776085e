//! A place to fetch into: made-up packages, clients that are scripts, a project folder and a cache.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use sha2::{Digest, Sha256};
use weighbridge_harness::convert::{self, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// SHA-256 in hex.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

const NOTES: &[u8] = b"a file of data\n";

/// A package that holds a safetensors file of 256 weights and a text.
#[derive(Debug, Clone)]
pub struct Made {
    registry: &'static str,
    prefix: String,
    /// The package's file.
    pub package: Vec<u8>,
    /// The file of weights in it.
    pub container: Vec<u8>,
    /// Digest of what conversion gives.
    pub converted_sha256: String,
}

impl Made {
    fn new(registry: &'static str, prefix: String, seed: u64, pack: impl Fn(&[(String, &[u8])]) -> Vec<u8>) -> Self {
        let values = weighbridge::sample::gaussian(256, 0.02, seed);
        let tensor =
            Tensor::plain("w", safetensors::Dtype::F32, vec![8, 32], values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        let mut container = Vec::new();
        convert::write_safetensors(&[tensor.unwrap()], &mut container).unwrap();
        let converted_sha256 = digest(&container);
        // Another header than ours, so that what is used cannot be the file as it came.
        let length = u64::from_le_bytes(container[..8].try_into().unwrap()) + 8;
        container[..8].copy_from_slice(&length.to_le_bytes());
        container.splice(usize::try_from(length).unwrap()..usize::try_from(length).unwrap(), *b"        ");
        let package = pack(&[(format!("{prefix}/w.safetensors"), &container), (format!("{prefix}/notes.txt"), NOTES)]);
        Self { registry, prefix, package, container, converted_sha256 }
    }

    /// A wheel.
    pub fn wheel(name: &str, seed: u64) -> Self {
        Self::new("pypi", name.to_owned(), seed, |files| {
            let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::STORE);
            for (path, bytes) in files.iter().map(|(p, b)| (p.as_str(), *b)).chain([("../escaped", &b"x"[..])]) {
                zip.start_file(path, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
            zip.finish().unwrap().into_inner()
        })
    }

    /// An npm package.
    pub fn npm(seed: u64) -> Self {
        Self::new("npm", "package".to_owned(), seed, |files| gzip(&tar(files, "")))
    }

    /// A Debian package, with its tar archive gzipped.
    pub fn deb(name: &str, seed: u64) -> Self {
        Self::new("debian", format!("usr/share/{name}"), seed, |files| {
            let mut ar = b"!<arch>\n".to_vec();
            for (name, bytes) in
                [("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", vec![1, 2, 3]), ("data.tar.gz", gzip(&tar(files, "./")))]
            {
                ar.extend_from_slice(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len()).as_bytes());
                ar.extend_from_slice(&bytes);
                if bytes.len() % 2 == 1 {
                    ar.push(b'\n');
                }
            }
            ar
        })
    }

    /// A manifest that takes both files out of it.
    pub fn manifest(&self, name: &str) -> String {
        let Self { registry, prefix, package, container, converted_sha256 } = self;
        let platform = if *registry == "debian" { "platform = \"amd64\"\n" } else { "" };
        let (weights, notes) = (digest(container), digest(NOTES));
        format!(
            "name = \"{name}\"\narchitecture = \"custom\"\nsize = \"small\"\nparameters = 256\nsuites = [\"full\"]\nlicence = \"MIT\"\n\
             made = \"by a test\"\nwhy = \"for a test\"\n\n\
             [packages.p]\nregistry = \"{registry}\"\nname = \"{name}\"\nversion = \"1.0\"\n{platform}sha256 = \"{}\"\nbytes = {}\n\n\
             [source.package]\nformat = \"safetensors\"\ndtype = \"F32\"\nsha256 = \"{converted_sha256}\"\n\
             files = [{{ package = \"p\", file = \"{prefix}/w.safetensors\", bytes = {}, sha256 = \"{weights}\" }}]\n\n\
             [data]\nnotes = {{ package = \"p\", file = \"{prefix}/notes.txt\", bytes = {}, sha256 = \"{notes}\" }}\n",
            digest(package),
            package.len(),
            container.len(),
            NOTES.len(),
        )
    }
}

/// A tar archive with what must not be followed before what is wanted: a link and a path that leads outside.
fn tar(files: &[(String, &[u8])], before: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "package", "/tmp").unwrap();
    let mut outside = tar::Header::new_gnu();
    outside.as_gnu_mut().unwrap().name[..22].copy_from_slice(b"../weighbridge-escaped");
    outside.set_size(1);
    outside.set_cksum();
    builder.append(&outside, &b"x"[..]).unwrap();
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("{before}{path}"), *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What `torch.save` writes, around a pickle.
pub fn torch_file(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("a/data.pkl", SimpleFileOptions::default().compression_method(CompressionMethod::STORE)).unwrap();
    zip.write_all(pickle).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A project, a cache, and clients on a path of their own.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A project without fixtures, whose policy has a suite `full` of one kernel.
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["fixtures", "baselines", "bin", "empty", "served"] {
            std::fs::create_dir(place.root().join(folder)).unwrap();
        }
        let policy = "version = 1\n[suites.full]\nkernels = [\"int8\"]\nreason = \"a test\"\n[metrics]\n";
        std::fs::write(place.root().join("baselines/policy.toml"), policy).unwrap();
        place
    }

    /// The project folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a fixture of that package.
    pub fn fixture(&self, name: &str, made: &Made) -> Made {
        self.write_manifest(name, &made.manifest(name));
        made.clone()
    }

    /// Writes a manifest.
    pub fn write_manifest(&self, name: &str, text: &str) {
        std::fs::write(self.root().join(format!("fixtures/{name}.toml")), text).unwrap();
    }

    /// Puts bytes where a script can copy them from; gives the path.
    pub fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.root().join("served").join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// A client: a script that writes down how it was called, and then does this.
    pub fn client(&self, name: &str, body: &str) {
        let path = self.root().join("bin").join(name);
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> {}\n{body}\n", self.root().join("calls").display());
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a script does to copy that package to where pip is to put it.
    pub fn copying(&self, name: &str) -> String {
        let from = self.root().join("served").join(name);
        format!("while [ \"$1\" != -d ]; do shift; done; cat {} > \"$2/{name}.whl\"", from.display())
    }

    /// A pip that has this package.
    pub fn serve(&self, made: &Made) {
        self.serve_bytes(&made.prefix, &made.package);
    }

    /// A pip that has these bytes as that package.
    pub fn serve_bytes(&self, name: &str, bytes: &[u8]) {
        self.put(name, bytes);
        self.client("pip", &self.copying(name));
    }

    /// How the clients were called, one a line.
    pub fn calls(&self) -> Vec<String> {
        std::fs::read_to_string(self.root().join("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The environment of a command: our clients first, our cache.
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        let path = format!("{}:/usr/bin:/bin", self.root().join("bin").display());
        let cache = self.root().join("cache").display().to_string();
        BTreeMap::from([("PATH", path), ("WEIGHBRIDGE_CACHE", cache), ("NO_COLOR", "1".to_owned())])
    }

    /// Gives a command that environment.
    pub fn dress(&self, command: &mut Command) {
        command.envs(self.environment());
    }

    /// The binary in that environment.
    pub fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        self.dress(&mut command);
        command
    }

    /// The binary in that environment and in this project.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare();
        command.arg("--root").arg(self.root()).args(arguments);
        command
    }

    /// All files below a part of the cache.
    pub fn cached(&self, part: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.root().join("cache").join(part), &mut found);
        found.sort();
        found
    }

    /// Everything in the cache is under its own digest, and these are the files that fixtures may use.
    pub fn assert_sound(&self, names: &[&str]) {
        for part in ["files", "containers"] {
            for path in self.cached(part) {
                let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
                assert_eq!(digest(&std::fs::read(&path).unwrap()), folder, "{}", path.display());
            }
        }
        for path in self.cached("packages") {
            assert_eq!(digest(&std::fs::read(&path).unwrap()), path.file_name().unwrap().to_string_lossy(), "{}", path.display());
        }
        let mut found = self.cached("files").iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>();
        found.sort();
        assert_eq!(found, names);
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}
