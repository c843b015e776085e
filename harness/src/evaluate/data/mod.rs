//! Evaluation and calibration data: one reader for each form, digests checked first, and what all of them give.

mod examples;
mod excerpts;
mod images;
mod lines;
mod passages;
mod photographs;
mod picture;
mod sound;
mod text;
mod words;

pub(super) use examples::{Examples, Inputs, Truth};
pub(super) use passages::Judgements;
#[cfg(test)]
pub(super) use passages::Pair;
pub(super) use words::Word;
