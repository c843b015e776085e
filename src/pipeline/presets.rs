//! Presets: mixed pipelines that are shipped, each a definition file in `presets/` that says why it is as it is.

use super::definition::{Definition, Form, MixedDefinition};
use super::mixed::Origin;
use crate::error::SpecError;
use crate::registry::{Registry, Resolved};
use crate::spec;

/// What specifications of presets begin with.
pub const PREFIX: &str = "preset:";

/// A preset.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name behind the prefix.
    pub id: &'static str,
    /// Its definition file, which is also a start for one of your own.
    pub toml: &'static str,
}

/// All presets, from the smallest effort to the smallest loss.
pub const PRESETS: &[Preset] = &[
    Preset { id: "fast", toml: include_str!("presets/fast.toml") },
    Preset { id: "balanced", toml: include_str!("presets/balanced.toml") },
    Preset { id: "quality", toml: include_str!("presets/quality.toml") },
];

/// The preset of that name.
pub fn preset(id: &str) -> Result<&'static Preset, SpecError> {
    let unknown = || SpecError::UnknownPreset { preset: id.to_owned(), known: spec::listed(PRESETS.iter().map(|p| p.id)) };
    PRESETS.iter().find(|p| p.id == id).ok_or_else(unknown)
}

impl Preset {
    /// Specification.
    pub fn spec(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// What its file says.
    pub fn definition(&self) -> Result<MixedDefinition, SpecError> {
        match Definition::parse(self.toml, Form::Toml, Some(self.id))? {
            Definition::Mixed(definition) => Ok(definition),
            Definition::Kernel(_) => Err(SpecError::Definition { message: format!("preset '{}' is no mixed pipeline", self.id) }),
        }
    }

    /// The pipeline, with these stages behind each of its kernels.
    pub fn build(&self, registry: &Registry, stages: &[&str]) -> Result<Resolved, SpecError> {
        let specs = stages.iter().map(|text| super::parse_stage(text).map(|stage| stage.spec())).collect::<Result<Vec<_>, _>>()?;
        let spec = std::iter::once(self.spec()).chain(specs).collect::<Vec<_>>().join("|");
        self.definition()?.build(Origin::Preset(spec), registry, stages)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::conformance;
    use crate::kernel::AnyKernel;
    use crate::safefile::SafeFile;

    fn folder() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn parse(spec: &str) -> Box<dyn AnyKernel> {
        Registry::default().parse(spec).unwrap()
    }

    #[test]
    fn every_file_is_a_preset_and_says_what_it_is_for() {
        let files = std::fs::read_dir(folder().join("src/pipeline/presets")).unwrap();
        let stems: BTreeSet<String> = files.map(|f| f.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(stems, PRESETS.iter().map(|p| p.id.to_owned()).collect());
        for preset in PRESETS {
            let kernel = parse(&preset.spec());
            assert_eq!((kernel.spec(), kernel.text()), (preset.spec(), preset.spec()));
            let summary = kernel.mixed().unwrap().summary();
            assert!(!summary.is_empty() && !summary.ends_with('.'), "{summary}");
        }
    }

    #[test]
    fn presets_and_all_their_kernels_conform() {
        let scratch = tempfile::tempdir().unwrap();
        for preset in PRESETS {
            let kernel = parse(&preset.spec());
            let rules = kernel.mixed().unwrap().rules().iter().map(|rule| rule.kernel.as_ref());
            for kernel in rules.chain([kernel.as_ref()]) {
                let failures = conformance::check(kernel, &Registry::default(), scratch.path());
                assert!(failures.is_empty(), "{failures:#?}");
            }
        }
    }

    #[test]
    fn stages_stand_behind_every_kernel_of_a_preset() {
        let kernel = parse("preset:balanced|zstd:level=3");
        assert_eq!(kernel.spec(), "preset:balanced|zstd");
        assert_eq!(parse(&kernel.text()).config(), kernel.config());
        let mixed = kernel.mixed().unwrap();
        assert_eq!(mixed.default_kernel().spec(), "q4_k|zstd");
        assert!(mixed.rules().iter().all(|rule| rule.kernel.stages() == ["zstd"]));
    }

    #[test]
    fn the_same_tensors_are_sensitive_to_all_presets() {
        let first = |preset: &Preset| parse(&preset.spec()).mixed().unwrap().rules()[0].globs.clone();
        assert!(PRESETS.iter().all(|preset| first(preset) == first(&PRESETS[0])));
    }

    /// Names of matrices in models of many families, and what kind of layer each is.
    #[test]
    fn rules_know_the_names_of_many_families() {
        let sensitive = "wte.weight transformer.wpe.weight model.embed_tokens.weight bert.embeddings.word_embeddings.weight shared.weight \
            transformer.word_embeddings.weight token_embd.weight patch_embed.proj.weight pos_embed cls_token emb.weight embedding.weight \
            tok_emb.weight enc_emb \
            encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight resnet.embedder.embedder.convolution.weight \
            lm_head.weight embed_out.weight output.weight classifier.weight score.weight head.weight heads.head.weight fc.weight \
            cls.predictions.transform.dense.weight bert.pooler.dense.weight qa_outputs.weight classifier.1.weight decoder.weight \
            conv1.weight stem.weight conv_stem.weight features.0.0.weight features.conv0.weight conv_proj.weight visual.conv1.weight \
            model.layers.0.block_sparse_moe.gate.weight model.layers.0.mlp.gate.weight";
        let attention = "h.0.attn.qkv.weight transformer.h.0.attn.c_attn.weight model.layers.0.self_attn.q_proj.weight \
            encoder.layer.0.attention.self.query.weight encoder.layer.0.attention.output.dense.weight blocks.0.attn.proj.weight \
            encoder.block.0.layer.0.SelfAttention.q.weight decoder.block.0.layer.1.EncDecAttention.k.weight blk.0.attn_q.weight \
            transformer.h.0.self_attention.query_key_value.weight encoder.layers.encoder_layer_0.self_attention.in_proj_weight";
        let other = "h.0.mlp.fc.weight transformer.h.0.mlp.c_fc.weight model.layers.0.mlp.gate_proj.weight model.layers.0.mlp.down_proj.weight \
            encoder.layer.0.intermediate.dense.weight encoder.layer.0.output.dense.weight model.decoder.layers.0.fc1.weight blocks.0.mlp.fc1.weight \
            encoder.block.0.layer.1.DenseReluDense.wi.weight model.layers.0.block_sparse_moe.experts.0.w1.weight blk.0.ffn_down.weight \
            layer1.0.conv1.weight layer1.0.downsample.0.weight b0.conv1.weight features.1.0.block.0.0.weight fc1.weight \
            lstm.weight_ih_l0 lstm.weight_hh_l0 multihead.in_proj.weight";
        let balanced = parse("preset:balanced");
        for (names, rule) in [(sensitive, Some(0)), (attention, Some(1)), (other, None)] {
            for name in names.split_whitespace() {
                assert_eq!(balanced.mixed().unwrap().rule_of(name), rule, "{name}");
            }
        }
    }

    #[test]
    fn rules_know_the_committed_fixtures() {
        let balanced = parse("preset:balanced");
        let taken = |fixture: &str| {
            let file = SafeFile::open(&folder().join(format!("fixtures/weights/{fixture}.safetensors"))).unwrap();
            let matrices = file.names().into_iter().filter(|name| file.raw_info(name).unwrap().shape.len() > 1);
            let with_rule = matrices.filter_map(|name| Some((balanced.mixed().unwrap().rule_of(&name)?, name)));
            let mut sensitive: Vec<_> = with_rule.filter(|(rule, _)| *rule == 0).map(|(_, name)| name).collect();
            sensitive.sort();
            sensitive
        };
        assert_eq!(taken("gpt-moby"), ["wpe.weight", "wte.weight"]);
        assert_eq!(taken("lstm-moby"), ["emb.weight", "fc.weight"]);
        assert_eq!(taken("cnn-mnist"), ["fc.weight", "stem.weight"]);
        assert_eq!(taken("mlp-mnist"), Vec::<String>::new());
        assert_eq!(taken("g2p-en"), ["dec_emb", "enc_emb"]);
        assert_eq!(taken("crepe-tiny"), ["classifier.weight", "conv1.weight"]);
        assert_eq!(taken("silero-vad"), ["conv1.weight"]);
    }
}
