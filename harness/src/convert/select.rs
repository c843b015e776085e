//! Which tensors are taken, and what they are called.

use globset::{Glob, GlobMatcher};
use safetensors::Dtype;
use serde::Deserialize;

use super::{ConvertError, Tensor};

/// Which tensors are taken, and what they are called. Patterns are globs over the names in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Selection {
    /// Only these; all where there is none.
    pub keep: Vec<String>,
    /// Of those, not these.
    pub exclude: Vec<String>,
    /// New beginnings of names, the first that fits.
    pub rename: Vec<Rename>,
}

/// A beginning of names and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rename {
    /// How the name begins.
    pub prefix: String,
    /// What it begins with instead.
    pub with: String,
}

impl Selection {
    /// Whether the patterns are globs.
    pub fn check(&self) -> Result<(), String> {
        self.keep.iter().chain(&self.exclude).try_for_each(|pattern| matcher(pattern).map(drop))
    }

    /// Takes and renames. A pattern or prefix that fits no tensor is an error: it is misspelt, or the file is another.
    pub fn apply<'a>(&self, tensors: Vec<Tensor<'a>>) -> Result<Vec<Tensor<'a>>, ConvertError> {
        let keep = self.keep.iter().map(|p| matcher(p)).collect::<Result<Vec<_>, _>>().map_err(ConvertError::Selection)?;
        let exclude = self.exclude.iter().map(|p| matcher(p)).collect::<Result<Vec<_>, _>>().map_err(ConvertError::Selection)?;
        let idle = |what: &str, pattern: &str| ConvertError::Selection(format!("{what} '{pattern}' fits no tensor"));
        for pattern in keep.iter().chain(&exclude) {
            if !tensors.iter().any(|t| pattern.is_match(&t.name)) {
                return Err(idle("pattern", pattern.glob().glob()));
            }
        }
        let taken =
            |t: &Tensor<'_>| (keep.is_empty() || keep.iter().any(|p| p.is_match(&t.name))) && !exclude.iter().any(|p| p.is_match(&t.name));
        let mut tensors = tensors.into_iter().filter(taken).collect::<Vec<_>>();
        let mut used = vec![false; self.rename.len()];
        for tensor in &mut tensors {
            let fitting = self.rename.iter().enumerate().find_map(|(i, r)| Some((i, r, tensor.name.strip_prefix(r.prefix.as_str())?)));
            if let Some((i, rename, rest)) = fitting {
                tensor.name = format!("{}{rest}", rename.with);
                used[i] = true;
            }
        }
        match used.iter().position(|used| !used) {
            Some(i) => Err(idle("prefix", &self.rename[i].prefix)),
            None if !tensors.iter().any(Tensor::is_weights) => Err(ConvertError::Selection("no weights are left".to_owned())),
            None => Ok(tensors),
        }
    }
}

/// Whether all floating-point tensors have this dtype, and if not, which has not.
pub fn check_dtype(tensors: &[Tensor<'_>], dtype: weighbridge::weights::Dtype) -> Result<(), ConvertError> {
    let other = |t: &&Tensor<'_>| {
        let floating = t.is_weights() || t.dtype == Dtype::F64;
        floating && !format!("{:?}", t.dtype).eq_ignore_ascii_case(dtype.name())
    };
    match tensors.iter().find(other) {
        None => Ok(()),
        Some(t) => Err(ConvertError::Selection(format!(
            "tensor '{}' is {:?}, not {}; exclude it or name its dtype",
            t.name,
            t.dtype,
            dtype.name()
        ))),
    }
}

fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    Glob::new(pattern).map(|g| g.compile_matcher()).map_err(|e| format!("pattern '{pattern}': {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &Selection) -> Result<Vec<String>, String> {
        let make = |name: &str| Tensor::plain(name, Dtype::F32, vec![1], vec![0; 4]).unwrap();
        let tensors = ["model.a.weight", "model.b.weight", "step"].map(make).to_vec();
        selection.apply(tensors).map(|t| t.into_iter().map(|t| t.name).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn kept_excluded_and_renamed() {
        let text = "keep = [\"model.*\"]\nexclude = [\"*.b.*\"]\nrename = [{ prefix = \"model.\", with = \"\" }]";
        assert_eq!(names(&toml::from_str(text).unwrap()).unwrap(), ["a.weight"]);
        assert_eq!(names(&Selection::default()).unwrap().len(), 3);
    }

    #[test]
    fn what_fits_nothing_is_an_error() {
        let with = |text: &str| names(&toml::from_str(text).unwrap()).unwrap_err();
        assert_eq!(with("exclude = [\"stft*\"]"), "pattern 'stft*' fits no tensor");
        assert_eq!(with("rename = [{ prefix = \"x\", with = \"\" }]"), "prefix 'x' fits no tensor");
        assert_eq!(with("exclude = [\"*\"]"), "no weights are left");
        assert!(toml::from_str::<Selection>("keeps = []").is_err());
        assert!(Selection { keep: vec!["a[".to_owned()], ..Selection::default() }.check().unwrap_err().contains("'a['"));
    }

    #[test]
    fn another_dtype_is_named() {
        let tensors = [Tensor::plain("w", Dtype::F16, vec![1], vec![0; 2]).unwrap()];
        check_dtype(&tensors, weighbridge::weights::Dtype::F16).unwrap();
        let error = check_dtype(&tensors, weighbridge::weights::Dtype::F32).unwrap_err().to_string();
        assert!(error.contains("'w' is F16, not F32"), "{error}");
    }
}
