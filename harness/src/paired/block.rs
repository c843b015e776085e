//! A block: four fresh processes, two of each build, in an order that lets drift cancel.

use super::item::Item;
use super::letter::{Party, time};
use super::prepare::Ready;
use super::record::Block;
use super::schedule::{Draw, Side, shuffled};
use crate::worker::client::WorkerError;

/// What a block is and who takes part.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Baseline and candidate.
    pub parties: &'a [Party; 2],
    /// How it is run.
    pub draw: Draw,
    /// Its number within the group's search or confirmation.
    pub index: u64,
    /// Whether it belongs to a confirmation.
    pub confirmation: bool,
    /// Processor to hold the workers on.
    pub core: Option<usize>,
}

/// Runs a block of some items of one group, which share its processes.
pub fn run(setting: Setting<'_>, items: &[&Ready]) -> Result<Vec<Block>, (Item, Side, WorkerError)> {
    let Setting { parties, draw, index, confirmation, core } = setting;
    // Cases that share a process follow each other in one order within a block, so that what one leaves in the caches is the same for all four.
    let order = shuffled(items.len(), draw.shuffle.wrapping_add(index));
    let ready: Vec<_> = order.iter().map(|&i| items[i]).collect();
    let mut letters = Vec::with_capacity(4);
    for side in draw.order.letters() {
        let (party, variant) = match side {
            Side::Baseline => (&parties[0], draw.variants[0]),
            Side::Candidate => (&parties[1], draw.variants[1]),
        };
        letters.push(time(party, variant, &ready, core).map_err(|(item, e)| (item, side, e))?);
    }
    let block = |(position, &i): (usize, &usize)| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|letter| letters[letter][position].clone());
        Block { item: items[i].item.clone(), index, confirmation, order: draw.order, variants: draw.variants, letters: [a, b, c, d] }
    };
    Ok(order.iter().enumerate().map(block).collect())
}
