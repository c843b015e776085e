//! The scenarios: noise, spread and layout of the cases of a gate.

use super::noise::Noise;

/// Cases of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// Name in the table.
    pub name: &'static str,
    /// What disturbs the processes.
    pub noise: Noise,
    /// Standard deviation of the log time of a process, and of the effect of a block, where noise is Gaussian.
    pub spread: f64,
    /// Links of each side.
    pub links: usize,
    /// Standard deviation between links, as a log ratio.
    pub layout_deviation: f64,
    /// Whether confirmations draw other links than the search did.
    pub fresh_links: bool,
    /// Blocks of the A/A arm of each case; 0 for none.
    pub control_blocks: usize,
}

/// A compute-bound kernel on CPU time: estimates of 24 blocks spread by 0.1 %.
const QUIET: f64 = 0.005;
/// A gather from a table of 2 MB: estimates of 24 blocks spread by 0.4 %.
const GATHER: f64 = 0.02;
/// Eight relinks of one source with shuffled sections spread by this.
const RELINKED: f64 = 0.0053;

const PLAIN: Scenario = Scenario {
    name: "Gaussian",
    noise: Noise::Gaussian,
    spread: QUIET,
    links: 1,
    layout_deviation: 0.0,
    fresh_links: false,
    control_blocks: 0,
};

const LINKED: Scenario = Scenario { name: "8 links", links: 8, layout_deviation: RELINKED, fresh_links: true, ..PLAIN };

/// What the table shows.
pub const SCENARIOS: &[Scenario] = &[
    PLAIN,
    Scenario { name: "Gaussian, wide", spread: GATHER, ..PLAIN },
    Scenario { name: "drift", noise: Noise::Drift, ..PLAIN },
    Scenario { name: "bursts", noise: Noise::Bursts, ..PLAIN },
    Scenario { name: "bimodal", noise: Noise::Bimodal, ..PLAIN },
    Scenario { name: "heavy tails", noise: Noise::HeavyTailed, ..PLAIN },
    Scenario { name: "8 links that do not matter", layout_deviation: 0.0, ..LINKED },
    LINKED,
    Scenario { name: "8 links, the same to confirm", fresh_links: false, ..LINKED },
    Scenario { name: "8 links, A/A arm", control_blocks: 8, ..LINKED },
    Scenario { name: "4 links", links: 4, ..LINKED },
    Scenario { name: "8 links, bursts", noise: Noise::Bursts, ..LINKED },
    Scenario { name: "8 links, wide", spread: GATHER, ..LINKED },
];
