//! Classes of kernels by what bounds their time: each answers differently to a busy machine and to where its code lies.

use crate::worker::batch::Operation;

/// A class with the built-in kernel and the committed fixture that stand for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Name.
    pub name: String,
    /// Kernel.
    pub kernel: String,
    /// Fixture.
    pub fixture: String,
    /// Operation.
    pub operation: Operation,
    /// Why they stand for the class.
    pub why: &'static str,
}

/// The classes that are calibrated where no kernel is named: name, kernel, fixture, operation, why.
pub const CLASSES: &[(&str, &str, &str, Operation, &str)] = &[
    (
        "compute-bound",
        "q4_k",
        "mlp-mnist",
        Operation::Encode,
        "tries many scales for each 32 weights, which stay in registers: arithmetic alone decides its time",
    ),
    (
        "memory-bound",
        "q8_0",
        "minilm-front",
        Operation::Decode,
        "one multiplication a weight, 2 MB read and 8 MB written, more than the caches of a core hold: stores decide its time",
    ),
    (
        "branchy",
        "huffman-exponent",
        "mlp-mnist",
        Operation::Decode,
        "the length of each code decides where the next begins and which path is taken: branches and where code lies decide its time",
    ),
];

impl Class {
    /// The classes of [`CLASSES`], or one of each kernel on each fixture that is named; what is not named is taken from the first class.
    pub fn chosen(kernels: &[String], fixtures: &[String], operation: Operation) -> Vec<Self> {
        if kernels.is_empty() && fixtures.is_empty() {
            let class = |&(name, kernel, fixture, operation, why): &(&str, &str, &str, Operation, &'static str)| Self {
                name: name.to_owned(),
                kernel: kernel.to_owned(),
                fixture: fixture.to_owned(),
                operation,
                why,
            };
            return CLASSES.iter().map(class).collect();
        }
        let or = |named: &[String], default: &str| if named.is_empty() { vec![default.to_owned()] } else { named.to_vec() };
        let (kernels, fixtures) = (or(kernels, CLASSES[0].1), or(fixtures, CLASSES[0].2));
        let class = |kernel: &String, fixture: &String| Self {
            name: "named".to_owned(),
            kernel: kernel.clone(),
            fixture: fixture.clone(),
            operation,
            why: "named on the command line",
        };
        kernels.iter().flat_map(|kernel| fixtures.iter().map(move |fixture| class(kernel, fixture))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_named_or_one_of_each_sort() {
        let all = Class::chosen(&[], &[], Operation::Encode);
        assert_eq!(all.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["compute-bound", "memory-bound", "branchy"]);
        let named = Class::chosen(&["int8".into(), "int4".into()], &[], Operation::Decode);
        let texts: Vec<_> = named.iter().map(|c| format!("{} {} {}", c.kernel, c.fixture, c.operation.word())).collect();
        assert_eq!(texts, ["int8 mlp-mnist decode", "int4 mlp-mnist decode"]);
        assert_eq!(Class::chosen(&[], &["cnn-mnist".into()], Operation::Encode)[0].kernel, "q4_k");
    }
}
