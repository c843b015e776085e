//! What the table has a row for: each kernel with its defaults, and the settings that documents speak of.

/// A row to be.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Specification, in its shortest form.
    pub spec: &'static str,
    /// Rows of the sample are divided by this: slow encoders get fewer.
    pub divisor: usize,
    /// What a reader must know; the Markdown document explains it below the table.
    pub note: &'static str,
}

const fn case(spec: &'static str) -> Case {
    Case { spec, divisor: 1, note: "" }
}

const fn noted(spec: &'static str, note: &'static str) -> Case {
    Case { spec, divisor: 1, note }
}

const LOSSLESS: &str = "lossless";
const AS_INT4: &str = "H = I, so the codes are int4's";
const NO_PASS: &str = "H = I, so k-means alone";

/// All of them, in the order of the registry.
pub const CASES: &[Case] = &[
    noted("f32-raw", LOSSLESS),
    case("bf16"),
    case("int8"),
    case("fp8-e4m3"),
    case("fp8-e5m2"),
    case("int4"),
    case("int4:group=64"),
    case("int4:group=32"),
    case("nf4"),
    case("nf4:double-quant=true"),
    case("nf4:block=128"),
    case("fp4"),
    case("fp4:double-quant=true"),
    case("q8_0"),
    case("q4_0"),
    case("q4_1"),
    case("q5_0"),
    case("q5_1"),
    case("q2_k"),
    case("q3_k"),
    case("q4_k"),
    case("q5_k"),
    case("q6_k"),
    case("iq4_nl"),
    case("mxfp4"),
    case("nvfp4"),
    case("tq1_0"),
    case("tq2_0"),
    case("bitnet"),
    case("bitnet:packing=tq1_0"),
    case("bitnet:packing=tq2_0"),
    case("bitnet:packing=tl2"),
    case("bitnet:scale=row"),
    case("bitnet:scale=group"),
    case("bitnet|entropy"),
    case("hyper-lattice"),
    case("hyper-lattice:packing=planes|entropy"),
    case("hyper-lattice:samples=225"),
    case("hyper-winding"),
    case("hyper-winding:samples=225"),
    case("hyper-winding:dimension=3,samples=20000,side=6.0"),
    noted("huffman-exponent", LOSSLESS),
    noted("gptq", AS_INT4),
    noted("gptq:group=64", AS_INT4),
    noted("gptq:group=32", AS_INT4),
    case("hqq"),
    case("hqq:group=32"),
    case("hqq:group=128"),
    noted("vptq", NO_PASS),
    noted("vptq|zstd", NO_PASS),
    noted("vptq:residual=256", NO_PASS),
    case("seedlm"),
    case("seedlm:bits=3"),
    case("seedlm:bits=4.5"),
    // 2^16 seeds and eight coefficients a block: some ten thousand weights a second.
    Case { spec: "seedlm:bits=6.5", divisor: 32, note: "" },
    noted("zstd", LOSSLESS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::reference::REFERENCES;
    use weighbridge::registry::Registry;

    #[test]
    fn every_kernel_and_every_reference_has_a_row() {
        let registry = Registry::default();
        let has = |spec: &str| CASES.iter().any(|case| case.spec == spec);
        for entry in registry.entries() {
            assert!(has(entry.info.id), "no row for '{}'", entry.info.id);
        }
        for reference in REFERENCES {
            assert!(has(reference.spec), "no row for '{}', which has a reference", reference.spec);
        }
    }

    #[test]
    fn rows_are_named_once_and_in_the_shortest_form() {
        for (i, case) in CASES.iter().enumerate() {
            let kernel = Registry::default().parse(case.spec).unwrap();
            assert_eq!(kernel.spec(), case.spec);
            assert!(!CASES[..i].iter().any(|other| other.spec == case.spec), "{}", case.spec);
            assert_eq!(case.note == LOSSLESS, kernel.info().lossless, "{}", case.spec);
        }
    }
}
