//! Architectures: from a few dimensions to the list of tensors that a checkpoint of such a network holds, with their names and shapes.

mod bert;
mod decoder;
mod efficientnet;
mod lstm;
mod mlp;
mod resnet;
mod tensors;

use serde::Deserialize;
use weighbridge::weights::Dtype;

use super::tensor::TensorSpec;

pub use bert::Bert;
pub use decoder::Decoder;
pub use efficientnet::EfficientNet;
pub use lstm::Lstm;
pub use mlp::Mlp;
pub use resnet::Resnet;
pub use tensors::MAX_TENSOR_ELEMENTS;

use tensors::Tensors;

/// A network's family and its dimensions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Architecture {
    /// Encoder as BERT.
    Bert(Bert),
    /// Decoder as Llama and Qwen2; with several experts as Mixtral.
    Decoder(Decoder),
    /// Language model of LSTM layers.
    Lstm(Lstm),
    /// Dense layers in a row.
    Mlp(Mlp),
    /// Residual network with bottlenecks, as ResNet-v2 in Big Transfer.
    Resnet(Resnet),
    /// EfficientNet under its compound scaling.
    Efficientnet(EfficientNet),
}

impl Architecture {
    /// Tensors in the order of the network, all in one dtype; a message that names the key where a dimension makes no sense.
    pub fn tensors(&self, dtype: Dtype) -> Result<Vec<TensorSpec>, String> {
        let mut tensors = Tensors::new(dtype);
        match self {
            Self::Bert(bert) => bert.list(&mut tensors),
            Self::Decoder(decoder) => decoder.list(&mut tensors),
            Self::Lstm(lstm) => lstm.list(&mut tensors),
            Self::Mlp(mlp) => mlp.list(&mut tensors),
            Self::Resnet(resnet) => resnet.list(&mut tensors),
            Self::Efficientnet(net) => net.list(&mut tensors),
        }
        tensors.finish()
    }

    /// Elements of all tensors together.
    pub fn parameters(&self) -> Result<u64, String> {
        Ok(self.tensors(Dtype::F32)?.iter().map(|t| t.info.elements() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Architecture, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    /// Counts that the papers and model cards state, or that their layers add up to.
    #[test]
    fn known_networks_have_their_parameter_counts() {
        let cases = [
            // BERT-large, 335 M with pooler.
            ("family='bert'\nlayers=24\nwidth=1024\nffn=4096\nvocabulary=30522\npositions=512\npooler=true", 335_141_888),
            // Qwen2-1.5B: 1.54 B.
            ("family='decoder'\nlayers=28\nwidth=1536\nkv-width=256\nffn=8960\nvocabulary=151936\nqkv-bias=true", 1_543_714_304),
            // Zaremba, Sutskever and Vinyals' large network: 66 M; PyTorch keeps two biases a layer.
            ("family='lstm'\nvocabulary=10000\nembedding=1500\nhidden=1500\nlayers=2", 66_034_000),
            ("family='mlp'\nwidths=[784, 512, 256, 10]", 535_818),
        ];
        for (text, parameters) in cases {
            assert_eq!(parse(text).unwrap().parameters().unwrap(), parameters, "{text}");
        }
        let near = [
            ("family='resnet'\nblocks=[3, 8, 36, 3]\nwidth=4\nclasses=1000", 936e6),
            ("family='efficientnet'\nwidth=4.3\ndepth=5.3\nclasses=1000", 480e6),
        ];
        for (text, parameters) in near {
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let found = parse(text).unwrap().parameters().unwrap() as f64;
            assert!((found / parameters - 1.0).abs() < 0.005, "{text}: {found}");
        }
    }

    #[test]
    fn names_are_unique_and_no_tensor_is_too_large() {
        let text = "family='decoder'\nlayers=2\nwidth=2048\nkv-width=256\nffn=512\nvocabulary=50000\nexperts=4\ntied=false";
        let tensors = parse(text).unwrap().tensors(Dtype::Bf16).unwrap();
        let mut names: Vec<_> = tensors.iter().map(|t| t.info.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), tensors.len());
        assert!(tensors.iter().all(|t| t.info.elements() <= MAX_TENSOR_ELEMENTS && t.info.dtype == Dtype::Bf16));
        let parts: Vec<_> = tensors.iter().filter(|t| t.info.name.starts_with("model.embed_tokens")).collect();
        assert_eq!(parts.len(), 4);
        assert_eq!(parts.iter().map(|t| t.info.shape[0]).sum::<usize>(), 50_000);
        assert_eq!(parts[3].info.name, "model.embed_tokens.weight.part-4-of-4");
    }

    #[test]
    fn what_makes_no_network_is_refused_by_its_key() {
        let error = parse("family='mlp'\nwidths=[784]").unwrap().tensors(Dtype::F32).unwrap_err();
        assert!(error.contains("'widths'"), "{error}");
        let error = parse("family='mlp'\nwidths=[784, 0]").unwrap().tensors(Dtype::F32).unwrap_err();
        assert!(error.contains("0"), "{error}");
        let error = parse("family='bert'\nlayers=1\nwidth=1000000\nffn=4000000\nvocabulary=1\npositions=1").unwrap();
        assert!(error.tensors(Dtype::F32).unwrap_err().contains("parameters"));
        assert!(parse("family='mlp'\nwidths=[784, 10]\ndepth=3").unwrap_err().contains("depth"));
        assert!(parse("family='perceptron'").unwrap_err().contains("perceptron"));
    }
}
