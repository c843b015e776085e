//! Filters: globs over kernels, fixtures and metrics, as the command line takes them.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// Which kernels, fixtures and metrics are wanted; an empty list takes all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    kernels: Option<GlobSet>,
    fixtures: Option<GlobSet>,
    metrics: Option<GlobSet>,
}

/// A pattern that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("pattern '{pattern}' is not a glob: {message}")]
pub struct FilterError {
    pattern: String,
    message: String,
}

/// A set of globs; `None` for an empty list, which takes all.
pub fn set(patterns: &[String]) -> Result<Option<GlobSet>, FilterError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let fail = |pattern: &str, e: globset::Error| FilterError { pattern: pattern.to_owned(), message: e.kind().to_string() };
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(Glob::new(pattern).map_err(|e| fail(pattern, e))?);
    }
    builder.build().map(Some).map_err(|e| fail(&patterns.join(" "), e))
}

impl Filter {
    /// Takes everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// A filter of these patterns.
    pub fn new(kernels: &[String], fixtures: &[String], metrics: &[String]) -> Result<Self, FilterError> {
        Ok(Self { kernels: set(kernels)?, fixtures: set(fixtures)?, metrics: set(metrics)? })
    }

    /// Whether a case is wanted. A kernel pattern may name the kernel alone or its whole specification.
    pub fn takes(&self, kernel: &str, fixture: &str) -> bool {
        self.takes_kernel(kernel) && self.fixtures.as_ref().is_none_or(|set| set.is_match(fixture))
    }

    /// Whether a kernel is wanted.
    pub fn takes_kernel(&self, kernel: &str) -> bool {
        let id = kernel.split(':').next().unwrap_or(kernel);
        self.kernels.as_ref().is_none_or(|set| set.is_match(kernel) || set.is_match(id))
    }

    /// Whether a metric is wanted.
    pub fn takes_metric(&self, metric: &str) -> bool {
        self.metrics.as_ref().is_none_or(|set| set.is_match(metric))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_select_and_bad_ones_are_named() {
        let strings = |s: &[&str]| s.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let filter = Filter::new(&strings(&["int*", "bitnet:*tq1*"]), &strings(&["*-mnist"]), &[]).unwrap();
        assert!(filter.takes("int4:group=32", "mlp-mnist") && filter.takes("bitnet:packing=tq1_0", "cnn-mnist"));
        assert!(!filter.takes("int4", "gpt-moby") && !filter.takes("bitnet", "mlp-mnist"));
        assert!(filter.takes_metric("anything"));
        let error = Filter::new(&strings(&["a[b"]), &[], &[]).unwrap_err().to_string();
        assert!(error.contains("'a[b'"), "{error}");
    }
}
