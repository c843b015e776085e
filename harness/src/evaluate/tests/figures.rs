//! The originals' figures, to every digit that an independent implementation printed.

use std::time::Instant;

use super::{ALL, fixture};
use crate::evaluate::{layer_inputs, outputs, score};

fn reproduce(name: &str) {
    let fixture = fixture(name);
    let outputs = outputs(&fixture, &fixture.weights().unwrap()).unwrap();
    let scores = score(&fixture, &outputs, &outputs).unwrap();
    let figures = fixture.manifest.expected.figures();
    assert!(!figures.is_empty());
    for (metric, figure) in figures {
        let found = scores.iter().find(|s| s.metric == metric).unwrap();
        println!("{name} {metric} {:.6} (expected {} ± {})", found.value, figure.value, figure.tolerance);
        assert!((found.value - figure.value).abs() <= figure.tolerance, "{metric} is {}, expected {}", found.value, figure.value);
    }
}

#[test]
fn mlp_gives_the_published_figure() {
    reproduce("mlp-mnist");
}

#[test]
fn cnn_gives_the_published_figure() {
    reproduce("cnn-mnist");
}

#[test]
fn gpt_gives_the_published_figures() {
    reproduce("gpt-moby");
}

#[test]
fn lstm_gives_the_published_figures() {
    reproduce("lstm-moby");
}

#[test]
fn g2p_gives_the_published_figures() {
    reproduce("g2p-en");
}

#[test]
fn crepe_gives_the_figure_of_numpy() {
    reproduce("crepe-tiny");
}

#[test]
fn silero_gives_the_figures_of_numpy() {
    reproduce("silero-vad");
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch crepe-full"]
fn crepe_full_gives_the_figure_of_numpy() {
    reproduce("crepe-full");
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch minilm"]
fn minilm_gives_the_published_figures() {
    reproduce("minilm");
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch smollm2-135m"]
fn smollm2_gives_the_published_figure() {
    reproduce("smollm2-135m");
}

#[test]
#[ignore = "prints how long each fixture takes; run it in a release build"]
fn print_seconds() {
    for name in ALL {
        let fixture = fixture(name);
        let weights = fixture.weights().unwrap();
        let start = Instant::now();
        outputs(&fixture, &weights).unwrap();
        let evaluated = start.elapsed().as_secs_f64();
        layer_inputs(&fixture, &weights).unwrap();
        println!("{name}: outputs {evaluated:.2} s, layer inputs {:.2} s", start.elapsed().as_secs_f64() - evaluated);
    }
}
