//! Cell lists of `seedlm`, built once and kept in the user's cache: 124 MB that make `encode` several times as fast at 4 bits.
//!
//! Measured cases search without them: a time or a peak of memory must not hang on whether a file is in somebody's cache. Artifacts are the
//! same bytes either way.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use weighbridge::error::FileError;
use weighbridge::kernel::AnyKernel;
use weighbridge::kernels::seedlm::lists::{CellLists, FORMAT, serves};
use weighbridge::safefile::SafeFile;

use crate::files;
use crate::fixture::{Cache, FixtureError};

/// From so many weights on, lists that are there save more time than they take to read.
pub const READING_PAYS: u64 = 1_000_000;
/// From so many weights on, lists save more time than they take to build.
pub const BUILDING_PAYS: u64 = 5_000_000;

/// Lists of this process.
static LISTS: OnceLock<CellLists> = OnceLock::new();

/// Where the lists are kept.
pub fn place(cache: &Cache) -> Result<PathBuf, FixtureError> {
    Ok(cache.root()?.join("seedlm-lists").join(format!("{FORMAT}.bin")))
}

/// Whether lists at `place` are worth their time for so many weights.
pub fn pay(place: &Path, weights: u64) -> bool {
    weights >= BUILDING_PAYS || weights >= READING_PAYS && place.exists()
}

/// How many weights of a model lists would serve.
pub fn weights_served(kernel: &dyn AnyKernel, model: &SafeFile) -> Result<u64, FileError> {
    let mut weights = 0;
    for name in model.names() {
        let Some(info) = model.weights_info(&name)? else { continue };
        let chosen = kernel.for_tensor(&info);
        if serves(chosen) && chosen.accepts(&info).is_ok() {
            weights += info.elements() as u64;
        }
    }
    Ok(weights)
}

/// Gives this process lists: those of the file, or new ones where it has none or cannot be used. These are kept in the file if it can be
/// written; lists that cannot be kept serve all the same.
pub fn give(place: &Path) {
    LISTS.get_or_init(|| read(place).unwrap_or_else(|| build(place)));
}

/// The lists that this process was given.
pub fn given() -> Option<&'static CellLists> {
    LISTS.get()
}

fn read(place: &Path) -> Option<CellLists> {
    CellLists::read(BufReader::new(std::fs::File::open(place).ok()?)).ok()
}

fn build(place: &Path) -> CellLists {
    let lists = CellLists::build();
    let folder = place.parent().map_or(Ok(()), std::fs::create_dir_all);
    // Who asked sees whether the file is there.
    let _ = folder.and_then(|()| files::replace(place, |out| lists.write(out)));
    lists
}

#[cfg(test)]
mod tests {
    use weighbridge::registry::Registry;

    use super::*;

    #[test]
    fn lists_serve_seedlm_of_four_bits_wherever_it_is_chosen() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/weights/mlp-mnist.safetensors");
        let model = SafeFile::open(&fixture).unwrap();
        let matrices: u64 = model
            .names()
            .iter()
            .filter_map(|n| model.weights_info(n).unwrap())
            .filter(|i| i.shape.len() > 1)
            .map(|i| i.elements() as u64)
            .sum();
        let served = |spec: &str| weights_served(Registry::default().parse(spec).unwrap().as_ref(), &model).unwrap();
        assert!(matrices > 0 && served("seedlm") == matrices && served("seedlm|zstd") == matrices);
        assert_eq!((served("seedlm:bits=3"), served("int4")), (0, 0));
    }

    #[test]
    fn lists_are_built_once_kept_and_built_again_where_the_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&Cache::at(folder.path())).unwrap();
        assert!(!pay(&place, READING_PAYS) && pay(&place, BUILDING_PAYS) && read(&place).is_none());
        build(&place);
        assert!(pay(&place, READING_PAYS) && !pay(&place, READING_PAYS - 1) && read(&place).is_some());
        let whole = std::fs::read(&place).unwrap();
        std::fs::write(&place, &whole[..whole.len() / 2]).unwrap();
        give(&place);
        assert!(given().is_some() && std::fs::read(&place).unwrap() == whole);
        // A place where nothing can be kept.
        build(&place.join("below-a-file"));
    }
}
