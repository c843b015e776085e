//! A sample as a model of its own, and what a case measured on it is worth for the whole.

use std::path::{Path, PathBuf};

use weighbridge::artifact::{ArtifactReader, Outline};
use weighbridge::error::FileError;
use weighbridge::kernel::{AnyKernel, PartSize};
use weighbridge::registry::Registry;
use weighbridge::safefile::SafeFile;
use weighbridge::safewriter::{Entry, SafeWriter};
use weighbridge::weights::TensorInfo;

use super::draw::{Draw, Drawn, draw};
use crate::model::record::Measured;
use crate::model::sampled::{Sampled, Stratum, Unit};
use crate::worker::model::{dtype_name, no_weights};

/// Elements looked at together for values that are not finite.
const CHUNK_ELEMENTS: usize = 1 << 22;

/// A sample that cannot be made, or that does not measure what was said of it.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Model, sample or artifact.
    #[error(transparent)]
    File(#[from] FileError),
    /// The kernel packs to other sizes than it says.
    #[error("the artifact of the sample holds {found} bytes, but the kernel's own sizes add up to {expected}")]
    Size {
        /// As its sizes say.
        expected: u64,
        /// As it is.
        found: u64,
    },
}

/// A drawn sample, written as a model.
#[derive(Debug)]
pub struct Sample {
    /// The model of the sample.
    pub path: PathBuf,
    whole: PathBuf,
    strata: Vec<(String, u64, Vec<Drawn>)>,
    how: Draw,
    /// Whether every value of the whole model is finite: kernels refuse tensors with others.
    finite: bool,
}

/// Name of a unit's tensor in the sample.
fn name(unit: &Drawn, how: Draw) -> String {
    match how {
        Draw::Tensors => unit.tensor.clone(),
        Draw::Rows => format!("{}#{}-{}", unit.tensor, unit.rows.start, unit.rows.end),
    }
}

impl Sample {
    /// Draws units of about `elements` elements together and writes them.
    pub fn write(whole: &Path, how: Draw, elements: usize, path: &Path) -> Result<Self, SampleError> {
        let file = SafeFile::open(whole)?;
        let infos = infos(&file)?;
        let strata = draw(&infos, how, elements);
        let units: Vec<_> = strata.iter().flat_map(|(_, _, drawn)| drawn).collect();
        let mut entries = Vec::new();
        for unit in &units {
            let mut info = file.weights_info(&unit.tensor)?.ok_or_else(|| missing(&file, &unit.tensor))?;
            if let Some(rows) = info.shape.first_mut() {
                *rows = unit.rows.len();
            }
            let bytes = info.size_bytes() as u64;
            entries.push(Entry { name: name(unit, how), dtype: info.dtype.name().to_owned(), shape: info.shape, bytes });
        }
        let mut writer = SafeWriter::create(path, entries)?;
        for unit in units {
            writer.write(file.rows(&unit.tensor, unit.rows.clone())?.bytes())?;
        }
        writer.finish()?;
        let finite = is_finite(&file, &infos)?;
        Ok(Self { path: path.to_owned(), whole: whole.to_owned(), strata, how, finite })
    }

    /// What a measurement of the sample is stored with. `artifact` is that of the sample.
    pub fn sampled(
        &self,
        kernel: &dyn AnyKernel,
        measured: &Measured,
        artifact: &Path,
        registry: &Registry,
    ) -> Result<Sampled, SampleError> {
        let reader = ArtifactReader::open(artifact, registry)?;
        let mut packed = std::collections::BTreeMap::new();
        for i in 0..reader.len() {
            let tensor = reader.summary(i)?;
            packed.insert(tensor.name, tensor.packed_bytes);
        }
        let whole = SafeFile::open(&self.whole)?;
        let sizes = |info: &TensorInfo| kernel.packed_sizes(info);
        let expected = outline(&SafeFile::open(&self.path)?, kernel, &sizes)?.map(|o| o.size_bytes());
        if let Some(expected) = expected
            && expected != measured.checked.artifact_bytes
        {
            return Err(SampleError::Size { expected, found: measured.checked.artifact_bytes });
        }
        // Where values decide sizes, only the header is wanted, whose length hardly depends on them.
        let exact = if self.finite { outline(&whole, kernel, &sizes)? } else { None };
        let like = |info: &TensorInfo| Some(vec![PartSize::new("codes", info.size_bytes())]);
        let overhead = outline(&whole, kernel, &like)?.map_or(0, |o| o.size_bytes() - o.packed_bytes());
        let (mut weights, mut input_bytes, mut others) = (0, 0, 0);
        for name in whole.names() {
            let bytes = whole.data_bytes(&name)?;
            input_bytes += bytes;
            match whole.weights_info(&name)? {
                Some(info) => weights += info.elements() as u64,
                None => others += bytes,
            }
        }
        let unit = |unit: &Drawn| {
            let tensor = name(unit, self.how);
            let packed_bytes = packed.get(&tensor).copied().unwrap_or(0);
            Unit { tensor, packed_bytes }
        };
        let stratum = |(name, units, drawn): &(String, u64, Vec<Drawn>)| Stratum {
            name: name.clone(),
            units: *units,
            drawn: drawn.iter().map(unit).collect(),
        };
        Ok(Sampled {
            weights,
            input_bytes,
            artifact_bytes: exact.map(|o| o.size_bytes()),
            overhead_bytes: overhead + others,
            strata: self.strata.iter().map(stratum).collect(),
        })
    }
}

/// The artifact of a model by the sizes of its parts; nothing where the sizes of a tensor are not known.
fn outline(
    file: &SafeFile,
    kernel: &dyn AnyKernel,
    sizes: &dyn Fn(&TensorInfo) -> Option<Vec<PartSize>>,
) -> Result<Option<Outline>, FileError> {
    let mut outline = Outline::new(&kernel.spec());
    for name in file.names() {
        let bytes = file.data_bytes(&name)?;
        let Some(info) = file.weights_info(&name)? else {
            let info = file.raw_info(&name)?;
            let dtype = dtype_name(info.dtype);
            outline.add_raw(&name, &info.shape, &dtype, bytes, &no_weights(&dtype));
            continue;
        };
        match kernel.accepts(&info) {
            Err(refusal) => outline.add_raw(&name, &info.shape, info.dtype.name(), bytes, &refusal.0),
            Ok(()) => match sizes(&info) {
                Some(parts) => outline.add_encoded(&info, kernel, &parts),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(outline))
}

fn infos(file: &SafeFile) -> Result<Vec<TensorInfo>, FileError> {
    let mut infos = Vec::new();
    for name in file.names() {
        infos.extend(file.weights_info(&name)?);
    }
    Ok(infos)
}

fn is_finite(file: &SafeFile, infos: &[TensorInfo]) -> Result<bool, FileError> {
    for info in infos {
        let (rows, cols) = info.rows_cols();
        let step = (CHUNK_ELEMENTS / cols.max(1)).max(1);
        for start in (0..rows).step_by(step) {
            if file.rows(&info.name, start..rows.min(start + step))?.first_non_finite().is_some() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn missing(file: &SafeFile, tensor: &str) -> FileError {
    FileError::MissingTensor { path: file.path().to_owned(), tensor: tensor.to_owned() }
}
