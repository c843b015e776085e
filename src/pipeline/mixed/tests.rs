use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::artifact::{ArtifactReader, ArtifactWriter, Tensor};
use crate::conformance;
use crate::registry::Registry;
use crate::sample::gaussian;
use crate::weights::Values;

fn kernel(spec: &str) -> Box<dyn AnyKernel> {
    Registry::default().parse(spec).unwrap()
}

/// A pipeline of these rules, globs separated by blanks.
fn mixed(rules: &[(&str, &str)], default: &str) -> Result<Mixed, SpecError> {
    let rule = |&(globs, spec): &(&str, &str)| Rule { globs: globs.split(' ').map(str::to_owned).collect(), kernel: kernel(spec) };
    Mixed::new(Origin::File("m".to_owned()), String::new(), rules.iter().map(rule).collect(), kernel(default))
}

fn weights(name: &str, seed: u64) -> Weights {
    Weights::new(name, vec![16, 64], Values::F32(gaussian(1024, 0.02, seed))).unwrap()
}

#[test]
fn the_first_rule_that_matches_takes_the_tensor() {
    let m = mixed(&[("h.0.*", "q8_0"), ("*.attn.* *.self_attn.*", "q6_k"), ("*", "q5_k")], "q4_0").unwrap();
    let spec = |name: &str| m.for_tensor(weights(name, 1).info()).spec();
    assert_eq!(spec("h.0.attn.qkv.weight"), "q8_0");
    assert_eq!(spec("h.1.attn.qkv.weight"), "q6_k");
    assert_eq!(spec("model.layers.3.self_attn.q_proj.weight"), "q6_k");
    assert_eq!(spec("h.1.mlp.fc.weight"), "q5_k");
    let narrow = mixed(&[("wte", "q8_0")], "q4_0").unwrap();
    assert_eq!((narrow.rule_of("wte"), narrow.rule_of("wte.weight"), narrow.rule_of("Wte")), (Some(0), None, None));
}

#[test]
fn each_tensor_is_packed_recorded_and_promised_by_its_own_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let m = mixed(&[("a.*", "int8"), ("b.*", "bf16"), ("[c]*", "int4:group=32|zstd")], "q4_0").unwrap();
    let tensors = [weights("a.w", 1), weights("b.w", 2), weights("c*?[x].w", 3), weights("d.w", 4)];
    let mut writer = ArtifactWriter::create(&path, &m.spec()).unwrap();
    for tensor in &tensors {
        writer.add_encoded(tensor.info(), &m, &m.encode(tensor, &Context::default()).unwrap()).unwrap();
    }
    writer.finish().unwrap();

    let registry = Registry::default();
    let reader = ArtifactReader::open(&path, &registry).unwrap();
    assert_eq!(reader.spec(), m.spec());
    let specs: Vec<_> = (0..4).map(|i| reader.summary(i).unwrap().spec.unwrap()).collect();
    assert_eq!(specs, ["int8", "bf16", "int4:group=32|zstd", "q4_0"]);
    // What the artifact records is enough to check it by: the file of rules is not needed.
    let recorded = registry.parse(&reader.recorded().unwrap()).unwrap();
    for (i, tensor) in tensors.iter().enumerate() {
        assert_eq!(recorded.for_tensor(tensor.info()).spec(), specs[i]);
        let Tensor::Weights(decoded) = reader.decode(i, &reader.parts(i).unwrap(), &Context::default()).unwrap() else { panic!() };
        let alone = kernel(&specs[i]);
        assert_eq!(m.promise(tensor), alone.promise(tensor));
        assert_eq!(m.encode(tensor, &Context::default()).unwrap(), alone.encode(tensor, &Context::default()).unwrap());
        conformance::promise_kept(&m.promise(tensor), 1.0, tensor, &decoded).unwrap();
    }
    assert_ne!(m.promise(&tensors[0]), m.promise(&weights("d.w", 1)), "the same values under another name have another promise");
}

#[test]
fn an_artifact_of_one_kernel_or_none_records_that() {
    let folder = tempfile::tempdir().unwrap();
    let record = |name: &str, write: &dyn Fn(&mut ArtifactWriter)| {
        let path = folder.path().join(name);
        let mut writer = ArtifactWriter::create(&path, "mixed:gone@00000000").unwrap();
        write(&mut writer);
        writer.finish().unwrap();
        ArtifactReader::open(&path, &Registry::default()).unwrap().recorded()
    };
    let (tensor, int8) = (weights("w", 1), kernel("int8"));
    let parts = int8.encode(&tensor, &Context::default()).unwrap();
    assert_eq!(record("one", &|w| w.add_encoded(tensor.info(), int8.as_ref(), &parts).unwrap()), Some("int8".to_owned()));
    assert_eq!(record("none", &|w| w.add_raw("w", &[1], "F32", &[0; 4], "because").unwrap()), None);
}

#[test]
fn mixed_pipelines_conform() {
    let m = mixed(&[("gaussian* *x*", "int8"), ("times* n* heavy*", "zstd"), ("*s*", "hyper-lattice|entropy")], "q4_0").unwrap();
    let taken = |i: Option<usize>| conformance::tensors().iter().filter(|t| m.rule_of(&t.info().name) == i).count();
    assert!((0..3).map(Some).chain([None]).all(|i| taken(i) > 1), "every rule and the default have a part in this test");
    let failures = conformance::check(&m, &Registry::default(), Path::new(tempfile::tempdir().unwrap().path()));
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_mixed_pipeline_is_lossless_where_all_its_kernels_are() {
    assert!(mixed(&[("a", "zstd")], "f32-raw").unwrap().info().lossless);
    assert!(!mixed(&[("a", "zstd")], "int8").unwrap().info().lossless);
    assert!(!mixed(&[("a", "int8")], "zstd").unwrap().info().lossless);
}

#[test]
fn rules_that_do_nothing_are_told_and_why() {
    let m = mixed(&[("h.*", "int8"), ("*.attn.*", "q6_k"), ("lstm.* gru.*", "q5_k"), ("wte.*", "q8_0")], "q4_0").unwrap();
    let idle = |names: &[&str]| m.idle(names.iter().copied()).iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        "rule 2 ('*.attn.*') takes no tensor: rule 1 ('h.*') comes first and takes 'h.0.attn.qkv'",
        "rule 3 ('lstm.*', 'gru.*') matches no tensor",
    ];
    assert_eq!(idle(&["h.0.attn.qkv", "h.1.attn.qkv", "wte.weight"]), expected);
    assert_eq!(idle(&["h.0.attn.qkv", "x.attn.q", "gru.w", "wte.weight"]), Vec::<String>::new());
    assert_eq!(idle(&[]).len(), 4);
}

#[test]
fn globs_that_can_do_nothing_are_refused() {
    let refused = |rules: &[(&str, &str)]| mixed(rules, "q4_0").unwrap_err().to_string();
    assert_eq!(
        refused(&[("a.*", "int8"), ("h.[a", "int8")]),
        "rule 2 ('h.[a'): 'h.[a' is not a glob: unclosed character class; missing ']'"
    );
    let twice = "rule 3 ('b', 'a.*'): 'a.*' stands in rule 1 already, which takes all that it matches";
    assert_eq!(refused(&[("a.*", "int8"), ("c", "int8"), ("b a.*", "int4")]), twice);
    for part in ["?", "*", "[!a]", "{a,b}", "é*", "\\\\*"] {
        let longest = part.repeat(LONGEST_GLOB / part.len());
        assert_eq!(mixed(&[(&longest, "int8")], "q4_0").unwrap().rule_of("w").is_some(), part == "*", "{part}");
        assert!(refused(&[(&format!("{longest}{longest}"), "int8")]).ends_with("bytes is too long; the limit is 4096"));
    }
    let empty =
        Mixed::new(Origin::File("m".to_owned()), String::new(), vec![Rule { globs: vec![], kernel: kernel("int8") }], kernel("int8"));
    assert!(empty.unwrap_err().to_string().contains("'tensors' is empty"));
}

#[test]
fn names_stay_the_same_for_the_same_rules_and_change_with_them() {
    let spec = |rules: &[(&str, &str)], default: &str| mixed(rules, default).unwrap().spec();
    let base = spec(&[("a.*", "int8"), ("b.*", "int4")], "q4_0");
    // Pinned: baselines hold it.
    assert_eq!(base, "mixed:m@760f8207");
    assert_eq!(spec(&[("a.*", "int8"), ("b.*", "int4:group=128")], "q4_0"), base, "the default configuration is the same kernel");
    let others = [
        spec(&[("b.*", "int4"), ("a.*", "int8")], "q4_0"),
        spec(&[("a.*", "int8"), ("b.*", "int4:group=64")], "q4_0"),
        spec(&[("a.*", "int8"), ("b.*", "int4|zstd")], "q4_0"),
        spec(&[("a.*", "int8"), ("b", "int4")], "q4_0"),
        spec(&[("a.*", "int8"), ("b.*", "int4")], "q4_1"),
        spec(&[("a.* b.*", "int8")], "q4_0"),
    ];
    let mut all = [&others[..], &[base]].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), others.len() + 1);
}

/// A matcher too simple to be wrong: `*`, `?`, and characters that stand for themselves.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    match glob.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|n| matches(rest, &name[n..])),
        Some((b'?', rest)) => !name.is_empty() && matches(rest, &name[1..]),
        Some((c, rest)) => name.first() == Some(c) && matches(rest, &name[1..]),
    }
}

#[test]
fn names_that_are_no_file_names_match_like_others() {
    for (glob, name) in [("*.", ".."), ("*.", "a."), ("*.b", "..b"), ("..", ".."), ("*/.", "a/.")] {
        assert_eq!(mixed(&[(glob, "int8")], "q4_0").unwrap().rule_of(name), Some(0), "{glob} {name}");
    }
}

proptest! {
    #[test]
    fn globs_match_as_a_simple_matcher_says(
        // Without `**`, which beside a slash has a meaning of its own.
        globs in prop::collection::btree_set("([*]?[ab./?]){1,4}[*]?", 1..6),
        names in prop::collection::vec("[ab./]{1,8}", 1..8),
    ) {
        let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
        let rules: Vec<(&str, &str)> = globs.iter().map(|&g| (g, "int8")).collect();
        let m = mixed(&rules, "q4_0").unwrap();
        for name in &names {
            let expected = globs.iter().position(|g| matches(g.as_bytes(), name.as_bytes()));
            prop_assert_eq!(m.rule_of(name), expected, "{} by {:?}", name, globs);
        }
        let busy: Vec<usize> = names.iter().filter_map(|name| m.rule_of(name)).collect();
        let idle = m.idle(names.iter().map(String::as_str));
        let expected = (0..globs.len()).filter(|i| !busy.contains(i)).map(|i| Rule::label(i, &[globs[i].to_owned()]));
        prop_assert_eq!(idle.into_iter().map(|i| i.rule).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn text_makes_the_same_pipeline_again(globs in prop::collection::btree_set("[ab.*?{},\\[\\]\"\\\\é-]{1,6}", 1..5), default in 0usize..4) {
        let specs = ["int8", "int4:group=32|zstd:level=9", "q4_k", "bitnet:packing=tl2"];
        let rules: Vec<(&str, &str)> = globs.iter().map(|g| (g.as_str(), specs[g.len() % 4])).collect();
        let Ok(m) = mixed(&rules, specs[default]) else { return Ok(()) };
        let again = Registry::default().parse(&m.text()).unwrap();
        prop_assert_eq!((again.spec(), again.text()), (m.spec(), m.text()));
        prop_assert_eq!(again.config(), m.config());
    }
}
