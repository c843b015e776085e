//! The kernel: parts from codes, weights from parts, and what is promised of them.

use half::f16;
use rayon::prelude::*;

use super::config::{Book, Config, Layout};
use super::packing;
use super::quantise::{Codes, Problem, codebook_bytes, learn, pass};
use crate::error::{DecodeError, Refusal};
use crate::fidelity::Fidelity;
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::kernels::scale::{into_dtype, largest_magnitude};
use crate::kernels::second_order::{Curvature, Hessian};
use crate::spec::Parameter;
use crate::weights::{Dtype, TensorInfo, Weights};

/// The VPTQ kernel.
#[derive(Debug)]
pub struct Vptq(Config);

impl Kernel for Vptq {
    const INFO: Info = Info {
        id: "vptq",
        version: 1,
        summary: "vectors of a column from k-means codebooks that keep the layer's output",
        source: "VPTQ, arXiv 2409.17066",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "vector", doc: "weights of a vector, v", values: "1 to 32" },
        Parameter { name: "centroids", doc: "vectors of the codebook, k1", values: "2 to 65536" },
        Parameter { name: "residual", doc: "vectors of the codebook for what the first leaves, k2", values: "0 for none, or 2 to 65536" },
        Parameter {
            name: "outlier-percent",
            doc: "columns with a codebook of their own, those of the largest diag(H)",
            values: "0 to 50 per cent",
        },
        Parameter { name: "outlier-vector", doc: "weights of an outlier vector, v0", values: "1 to 32" },
        Parameter { name: "outlier-centroids", doc: "vectors of the outliers' codebook, k0", values: "2 to 65536" },
        Parameter { name: "permute", doc: "quantise columns by falling diag(H)", values: "true or false" },
        Parameter { name: "seed", doc: "seed of the random start of k-means", values: "0 to 2^64 - 1" },
        Parameter { name: "iterations", doc: "most rounds of k-means", values: "1 to 1000" },
        Parameter { name: "second-order", doc: "propagate errors to later columns, with calibration", values: "true or false" },
    ];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self(config))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        let info = weights.info();
        let layout = Layout::new(&self.0, info);
        let curvature = Curvature::new(context, info)?;
        let order = self.order(&layout, &curvature);
        let factor = if self.0.second_order { curvature.factor(&order)? } else { None };

        let values = weights.to_f32();
        let scale = largest_magnitude(&values);
        let units: Vec<f32> = if scale > 0.0 { values.iter().map(|x| x / scale).collect() } else { vec![0.0; values.len()] };
        let problem = Problem { layout: &layout, values: &units, order: &order, diagonal: curvature.diagonal() };
        let books = learn(problem, &self.0, factor.as_ref());

        let mut parts = Parts::new().with("scale", scale.to_le_bytes().to_vec()).with("codebook", codebook_bytes(&books.main));
        if let Some(book) = &books.residual {
            parts = parts.with("residual-codebook", codebook_bytes(book));
        }
        if let Some(book) = &books.outlier {
            parts = parts.with("outlier-codebook", codebook_bytes(book));
        }
        if let (Hessian::Calibrated, 1..) = (curvature.hessian(), layout.ordered) {
            parts = parts.with("order", pack_order(&order[..layout.ordered], &layout));
        }
        let finish = |codes: &Codes, hessian: Hessian| {
            let mut parts = hessian.store(parts.clone()).with("indices", pack_words(&codes.main, &layout.main));
            if layout.outlier.columns > 0 {
                parts = parts.with("outlier-indices", pack_words(&codes.outlier, &layout.outlier));
            }
            let error = self.decode(&parts, info, context).map(|decoded| Fidelity::of(&values, &decoded.to_f32()).relative_error());
            error.map(|error| (parts, error)).map_err(|e| Refusal::new(e.to_string()))
        };
        let bound = bound(&layout, info);
        let (mut parts, mut error) = finish(&pass(problem, &books, factor.as_ref()), curvature.hessian())?;
        if error > bound && factor.is_some() {
            (parts, error) = finish(&pass(problem, &books, None), Hessian::CalibratedWithoutPass)?;
        }
        if error <= bound {
            return Ok(parts);
        }
        Err(Refusal::new(format!("the codebook leaves a relative error of {error:.3}, above the {bound:.3} that its rate should give")))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let layout = Layout::new(&self.0, info);
        let hessian = Hessian::load(parts)?;
        let scale = parts.exact("scale", 4)?;
        let scale = f32::from_le_bytes(scale.try_into().unwrap_or_default());
        if !(scale.is_finite() && scale >= 0.0) {
            return Err(DecodeError::corrupt("scale", format!("{scale} is no magnitude")));
        }
        // All lengths are checked before anything is made by the size that the shape claims.
        let Layout { main, outlier, .. } = layout;
        let main_codes = Coded::new(parts, "indices", "codebook", &main)?;
        let outlier_codes =
            if outlier.columns > 0 { Some(Coded::new(parts, "outlier-indices", "outlier-codebook", &outlier)?) } else { None };
        if info.elements() == 0 {
            return into_dtype(info, Vec::new());
        }
        let order = read_order(parts, &layout, hessian)?;

        let mut values = vec![0.0; info.elements()];
        if let Some(codes) = &outlier_codes {
            codes.write(&mut values, layout.columns, &order[..outlier.columns], scale)?;
        }
        main_codes.write(&mut values, layout.columns, &order[outlier.columns..], scale)?;
        into_dtype(info, values)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Promise::Relative(bound(&Layout::new(&self.0, weights.info()), weights.info()))
    }
}

impl Vptq {
    /// Stored columns: all by falling diag(H), or the outliers so and the others as they stand.
    fn order(&self, layout: &Layout, curvature: &Curvature<'_>) -> Vec<usize> {
        let mut order = curvature.descending();
        order[layout.ordered..].sort_unstable();
        order
    }
}

/// The promised ‖W − Ŵ‖ / ‖W‖, with what rounding to the tensor's dtype adds.
fn bound(layout: &Layout, info: &TensorInfo) -> f64 {
    let rounding = match info.dtype {
        Dtype::F32 => 1e-6,
        Dtype::F16 => 1.0 / 2048.0,
        Dtype::Bf16 => 1.0 / 256.0,
    };
    layout.bound() + rounding
}

fn pack_order(order: &[usize], layout: &Layout) -> Vec<u8> {
    let bits = packing::bits(layout.columns);
    #[expect(clippy::cast_possible_truncation, reason = "a Gram matrix of 2^32 inputs fits no memory")]
    let words: Vec<u32> = order.iter().map(|&column| column as u32).collect();
    let mut bytes = vec![0; packing::packed_bytes(words.len(), bits)];
    packing::pack(&words, bits, &mut bytes);
    bytes
}

/// Column of the tensor for each stored column.
fn read_order(parts: &Parts, layout: &Layout, hessian: Hessian) -> Result<Vec<usize>, DecodeError> {
    let count = if hessian == Hessian::Identity { 0 } else { layout.ordered };
    let mut words = Vec::new();
    if count > 0 {
        let bits = packing::bits(layout.columns).min(32);
        let bytes = parts.exact("order", packing::packed_bytes(count, bits))?;
        words.resize(count, 0);
        packing::unpack(bytes, bits, &mut words);
    }
    let mut seen = vec![false; layout.columns];
    let mut order = Vec::with_capacity(layout.columns);
    for word in words {
        match seen.get_mut(word as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(DecodeError::corrupt("order", format!("column {word} is named twice or is beyond {}", layout.columns))),
        }
        order.push(word as usize);
    }
    order.extend((0..layout.columns).filter(|&column| !seen[column]));
    Ok(order)
}

fn pack_words(words: &[u32], book: &Book) -> Vec<u8> {
    let mut bytes = vec![0; book.index_bytes()];
    let size = packing::packed_bytes(book.columns, book.word_bits());
    for (words, bytes) in words.chunks_exact(book.columns).zip(bytes.chunks_exact_mut(size)) {
        packing::pack(words, book.word_bits(), bytes);
    }
    bytes
}

/// The indices and codebooks of a set of columns.
struct Coded<'a> {
    book: &'a Book,
    part: &'static str,
    indices: &'a [u8],
    centroids: Vec<f32>,
    residual: Vec<f32>,
}

impl<'a> Coded<'a> {
    fn new(parts: &'a Parts, part: &'static str, codebook: &'static str, book: &'a Book) -> Result<Self, DecodeError> {
        let indices = parts.exact(part, book.index_bytes())?;
        let centroids = read_codebook(parts, codebook, book.centroids * book.vector)?;
        let residual = if book.residual > 0 { read_codebook(parts, "residual-codebook", book.residual * book.vector)? } else { Vec::new() };
        Ok(Self { book, part, indices, centroids, residual })
    }

    /// Writes these columns' weights into the tensor.
    fn write(&self, values: &mut [f32], columns: usize, order: &[usize], scale: f32) -> Result<(), DecodeError> {
        let book = self.book;
        let size = packing::packed_bytes(book.columns, book.word_bits());
        let bands = values.par_chunks_mut(book.vector * columns).zip(self.indices.par_chunks(size));
        let valid = bands.map(|(rows, bytes)| {
            let mut words = vec![0; book.columns];
            packing::unpack(bytes, book.word_bits(), &mut words);
            words.iter().zip(order).all(|(&word, &column)| self.write_vector(word, &mut rows[column..], columns, scale))
        });
        if valid.reduce(|| true, |a, b| a && b) {
            return Ok(());
        }
        Err(DecodeError::corrupt(self.part, format!("an index is beyond the codebook of {}", book.centroids)))
    }

    /// Writes one vector down a column; says whether its indices are in range.
    fn write_vector(&self, word: u32, rows: &mut [f32], columns: usize, scale: f32) -> bool {
        let vector = self.book.vector;
        let index = (word & ((1 << self.book.index_bits()) - 1)) as usize;
        let Some(centroid) = self.centroids.get(index * vector..(index + 1) * vector) else { return false };
        let places = rows.iter_mut().step_by(columns);
        // Weights near f32's largest may be rounded beyond it.
        let unit = |x: f32| (x * scale).clamp(f32::MIN, f32::MAX);
        if self.residual.is_empty() {
            places.zip(centroid).for_each(|(place, c)| *place = unit(*c));
            return true;
        }
        let index = (word >> self.book.index_bits()) as usize;
        let Some(residual) = self.residual.get(index * vector..(index + 1) * vector) else { return false };
        places.zip(centroid.iter().zip(residual)).for_each(|(place, (c, r))| *place = unit(c + r));
        true
    }
}

fn read_codebook(parts: &Parts, name: &str, count: usize) -> Result<Vec<f32>, DecodeError> {
    let halves = parts.exact(name, 2 * count)?.as_chunks::<2>().0;
    let values: Vec<f32> = halves.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect();
    if values.iter().all(|x| x.is_finite()) { Ok(values) } else { Err(DecodeError::corrupt(name, "a value is not finite")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Gram;
    use crate::kernels::second_order::synthetic::{inputs, pairs, round_trip};
    use crate::kernels::testing::matrix;
    use crate::registry::Registry;
    use crate::sample;

    fn relative_error(spec: &str, weights: &Weights) -> f64 {
        Fidelity::of(&weights.to_f32(), &round_trip(spec, weights, None).0).relative_error()
    }

    #[test]
    fn calibration_keeps_the_layer_s_output_where_plain_k_means_loses_it() {
        let weights = matrix(128, sample::gaussian(128 * 192, 0.02, 2));
        let gram = inputs(800, 192, 3).gram();
        let held_out = inputs(400, 192, 4);
        for spec in ["vptq", "vptq:permute=true", "vptq:vector=2,residual=16", "vptq:outlier-percent=5,outlier-vector=2"] {
            let plain = format!("{spec}{}second-order=false", if spec.contains(':') { ',' } else { ':' });
            let ((with, size), (without, plain_size)) =
                (round_trip(spec, &weights, Some(&gram)), round_trip(&plain, &weights, Some(&gram)));
            assert_eq!(size, plain_size);
            let (with, without) = (held_out.output_error(&weights.to_f32(), &with), held_out.output_error(&weights.to_f32(), &without));
            println!("{spec}: {with:.4} against {without:.4} without the pass");
            assert!(with < 0.8 * without, "{spec}: {with} against {without}");
        }
    }

    #[test]
    fn on_the_identity_the_pass_changes_nothing() {
        let weights = matrix(64, sample::gaussian(64 * 130, 0.02, 2));
        let mut identity = Gram { size: 130, values: vec![0.0; 130 * 130], samples: 130 };
        (0..130).for_each(|i| identity.values[i * 131] = 1.0);
        let (with, _) = round_trip("vptq", &weights, Some(&identity));
        assert_eq!(with, round_trip("vptq:second-order=false", &weights, None).0);
        assert_eq!(with, round_trip("vptq", &weights, None).0);
    }

    #[test]
    fn gaussian_errors_are_those_of_vector_quantisation() {
        // 2 bits: the rate–distortion bound is 0.25, Lloyd's best scalar code 0.343. 4 bits: 0.0625 and 0.0975.
        let weights = matrix(256, sample::gaussian(256 * 512, 0.02, 1));
        for (spec, low, high) in [("vptq", 0.28, 0.32), ("vptq:vector=2", 0.07, 0.09), ("vptq:residual=256", 0.08, 0.11)] {
            let error = relative_error(spec, &weights);
            println!("{spec}: {error:.4}");
            assert!((low..high).contains(&error), "{spec}: {error}");
        }
    }

    #[test]
    fn the_error_does_not_depend_on_the_scale() {
        let values = sample::gaussian(64 * 64, 0.02, 1);
        let error = |factor: f32| relative_error("vptq", &matrix(64, values.iter().map(|x| x * factor).collect()));
        for exponent in [-90, -30, 30, 100] {
            assert_eq!(error(2f32.powi(exponent)), error(1.0), "2^{exponent}");
        }
    }

    #[test]
    fn order_and_hessian_are_in_the_parts() {
        let weights = matrix(64, sample::gaussian(64 * 40, 0.02, 2));
        let gram = inputs(200, 40, 3).gram();
        let encode = |spec: &str, gram| {
            let kernel = Registry::default().parse(spec).unwrap();
            kernel.encode(&weights, &Context { gram, ..Context::default() }).unwrap()
        };
        let spec = "vptq:outlier-percent=10,permute=true";
        let parts = encode(spec, Some(&gram));
        assert_eq!(parts.get("hessian").unwrap(), [1]);
        let mut order = vec![0; 40];
        packing::unpack(parts.exact("order", packing::packed_bytes(40, 6)).unwrap(), 6, &mut order);
        let diagonal = |column: u32| gram.values[column as usize * 41];
        assert!(order.is_sorted_by(|&a, &b| diagonal(a) >= diagonal(b)));
        assert_eq!(encode("vptq:outlier-percent=10", Some(&gram)).get("order").unwrap().len(), packing::packed_bytes(4, 6));
        assert!(encode("vptq", Some(&gram)).get("order").is_err());
        let plain = encode(spec, None);
        assert_eq!(plain.get("hessian").unwrap(), [0]);
        assert!(plain.get("order").is_err());

        // A calibrated artifact damaged anywhere gives some weights or an error.
        let kernel = Registry::default().parse(spec).unwrap();
        for (i, part) in parts.0.iter().enumerate() {
            for at in 0..part.bytes.len() {
                let mut damaged = parts.clone();
                damaged.0[i].bytes[at] ^= 0xFF;
                let _ = kernel.decode(&damaged, weights.info(), &Context::default());
            }
        }
        let mut twice = parts.clone();
        twice.0.iter_mut().filter(|part| part.name == "order").for_each(|part| part.bytes.fill(0));
        let error = kernel.decode(&twice, weights.info(), &Context::default()).unwrap_err();
        assert_eq!(error.to_string(), "part 'order': column 0 is named twice or is beyond 40");
    }

    #[test]
    fn a_pass_that_would_break_the_promise_is_left_out_and_said_so() {
        let weights = matrix(64, sample::gaussian(64 * 64, 0.02, 2));
        let kernel = Registry::default().parse("vptq:vector=1,centroids=16").unwrap();
        let parts = kernel.encode(&weights, &Context { gram: Some(&pairs(64)), ..Context::default() }).unwrap();
        assert_eq!(parts.get("hessian").unwrap(), [2]);
        let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
        crate::conformance::promise_kept(&kernel.promise(&weights), 1.0, &weights, &decoded).unwrap();
    }

    #[test]
    fn an_empty_tensor_that_claims_many_columns_takes_no_memory() {
        let kernel = Registry::default().parse("vptq").unwrap();
        let mut parts = kernel.encode(&matrix(1, vec![0.5]), &Context::default()).unwrap();
        parts.0.iter_mut().filter(|part| part.name == "indices").for_each(|part| part.bytes.clear());
        for shape in [vec![0, 1 << 40, 1 << 20], vec![1 << 60, 0]] {
            let info = TensorInfo { name: "w".into(), shape, dtype: Dtype::F32 };
            assert!(kernel.decode(&parts, &info, &Context::default()).is_ok_and(|weights| weights.bytes().is_empty()));
        }
    }

    #[test]
    fn statistics_of_another_size_are_refused() {
        let gram = Gram { size: 3, values: vec![1.0; 9], samples: 1 };
        let kernel = Registry::default().parse("vptq:second-order=false").unwrap();
        let context = Context { gram: Some(&gram), ..Context::default() };
        let refusal = kernel.encode(&matrix(8, vec![0.5; 64]), &context).unwrap_err();
        assert_eq!(refusal.0, "calibration statistics are of 3 inputs, the tensor has 8");
    }

    #[test]
    fn calibrated_bytes_do_not_depend_on_threads() {
        let weights = matrix(150, sample::gaussian(150 * 140, 0.02, 2));
        let gram = inputs(300, 140, 3).gram();
        let kernel = Registry::default().parse("vptq:vector=3,residual=16,outlier-percent=3,outlier-vector=2,permute=true").unwrap();
        let encode = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| kernel.encode(&weights, &Context { gram: Some(&gram), ..Context::default() })).unwrap()
        };
        assert_eq!(encode(1), encode(3));
    }
}
