//! Silero's voice activity detector at 16 kHz: magnitudes of a short-time Fourier transform, four convolutions over them, an LSTM over the
//! chunks of a clip, one number a chunk.
//!
//! A chunk is 512 samples with the 64 before it (zeros at the start of a clip) and 64 more that mirror its end. Of it four windows of 256 are
//! taken. The transform is a fixed basis, not a weight: it is computed here, where the original stores it, and does not depend on a
//! mathematical library. Only the LSTM has to go chunk by chunk; all else is done for the whole batch at once.

use std::f64::consts::TAU;

use candle_core::{DType, Device, Result, Tensor};

use super::activations;
use super::cells::LstmCell;
use super::network::Network;
use super::patches::Windows;

/// Samples of the chunk before that a chunk sees.
const CONTEXT: usize = 64;
/// Samples that mirror the end of a chunk.
const MIRRORED: usize = 64;
/// Samples of a window of the transform.
const WINDOW: usize = 256;
/// Step between windows.
const HOP: usize = 128;
/// Frequencies from 0 to half the sampling rate.
const BINS: usize = WINDOW / 2 + 1;
/// Strides of the convolutions.
const STRIDES: [usize; 4] = [1, 2, 2, 1];

/// Clips × chunks × samples → chunks × 2: the logits of silence, which is always 0, and of speech.
pub(super) fn forward(network: &Network, clips: &Tensor) -> Result<Tensor> {
    let (count, chunks, _) = clips.dims3()?;
    let mut x = magnitudes(&with_context(clips)?)?;
    for (i, stride) in STRIDES.into_iter().enumerate() {
        let windows = Windows { kernel: 3, stride, before: 1, after: 1 };
        x = activations::relu(&windows.convolve(network, &format!("conv{}", i + 1), &x)?)?;
    }
    // One time is left of each chunk. Chunk by chunk from here, all clips' first chunks before all second ones.
    let features = x.dim(2)?;
    let x = x.reshape((count, chunks, features))?.transpose(0, 1)?.reshape((chunks * count, features))?;
    let bias = (network.tensor("lstm_cell.bias_ih")? + network.tensor("lstm_cell.bias_hh")?)?;
    let from_input = network.product("lstm_cell.weight_ih", &x)?.broadcast_add(&bias)?;
    let hidden = network.shape("lstm_cell.weight_hh")?.last().copied().unwrap_or(0);
    let mut state = Tensor::zeros((count, hidden), DType::F32, &Device::Cpu)?;
    let mut cell = state.clone();
    let mut states = Vec::with_capacity(chunks);
    for chunk in 0..chunks {
        let from_state = network.product("lstm_cell.weight_hh", &state)?;
        let next = from_input.narrow(0, chunk * count, count)?.apply_op3_no_bwd(&from_state, &cell, &LstmCell)?;
        (state, cell) = (next.get(0)?, next.get(1)?);
        states.push(state.clone());
    }
    let speech = network.linear("final_conv", &activations::relu(&Tensor::cat(&states, 0)?)?)?;
    let speech = speech.reshape((chunks, count))?.t()?.reshape((count * chunks, 1))?;
    Tensor::cat(&[&speech.zeros_like()?, &speech], 1)
}

/// Chunks with what came before and a mirror of their end: clips × chunks × samples → clips·chunks × samples.
fn with_context(clips: &Tensor) -> Result<Tensor> {
    let (count, chunks, size) = clips.dims3()?;
    let samples = clips.flatten_all()?.to_vec1::<f32>()?;
    let mut out = Vec::with_capacity(count * chunks * (CONTEXT + size + MIRRORED));
    for (i, chunk) in samples.chunks(size).enumerate() {
        match i % chunks {
            0 => out.extend([0.0; CONTEXT]),
            _ => out.extend(&samples[i * size - CONTEXT..i * size]),
        }
        out.extend(chunk);
        // The last sample is the mirror and does not repeat.
        out.extend(chunk.iter().rev().skip(1).take(MIRRORED));
    }
    Tensor::from_vec(out, (count * chunks, CONTEXT + size + MIRRORED), &Device::Cpu)
}

/// Rows of samples → rows × windows × frequencies.
fn magnitudes(rows: &Tensor) -> Result<Tensor> {
    let (count, length) = rows.dims2()?;
    let windows = Windows { kernel: WINDOW, stride: HOP, before: 0, after: 0 };
    let patches = rows.unsqueeze(2)?.apply_op1_no_bwd(&windows)?;
    let parts = patches.matmul(&basis()?)?;
    let (real, imaginary) = (parts.narrow(1, 0, BINS)?, parts.narrow(1, BINS, BINS)?);
    (real.sqr()? + imaginary.sqr()?)?.sqrt()?.reshape((count, windows.count(length), BINS))
}

/// The periodic Hann window times cosines, then times negated sines: samples × 2·frequencies.
fn basis() -> Result<Tensor> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "indices below 256; rounding to f32 is meant")]
    let value = |sample: usize, column: usize| {
        // Whole turns are taken off in integers, so that the angle is exact to its last bit.
        let angle = |turns: usize| TAU * (turns % WINDOW) as f64 / WINDOW as f64;
        let hann = 0.5 - 0.5 * libm::cos(angle(sample));
        let turns = sample * (column % BINS);
        let wave = if column < BINS { libm::cos(angle(turns)) } else { -libm::sin(angle(turns)) };
        (hann * wave) as f32
    };
    let values = (0..WINDOW).flat_map(|sample| (0..2 * BINS).map(move |column| value(sample, column)));
    Tensor::from_vec(values.collect(), (WINDOW, 2 * BINS), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_sees_the_one_before_and_mirrors_its_end() {
        let clips = Tensor::arange(0f32, 512.0, &Device::Cpu).unwrap().reshape((2, 2, 128)).unwrap();
        let rows = with_context(&clips).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(rows.len(), 4);
        assert!(rows[0][..64].iter().all(|&x| x == 0.0) && rows[2][..64].iter().all(|&x| x == 0.0));
        assert_eq!((rows[1][0], rows[1][63], rows[1][64]), (64.0, 127.0, 128.0));
        assert_eq!((rows[0][191], rows[0][192], rows[0][255]), (127.0, 126.0, 63.0));
    }

    #[test]
    fn a_tone_is_loudest_at_its_frequency() {
        let tone = |i: u16| (f32::from(i) * std::f32::consts::TAU * 20.0 / 256.0).sin();
        let rows = Tensor::from_vec((0..640).map(tone).collect::<Vec<_>>(), (1, 640), &Device::Cpu).unwrap();
        let found = magnitudes(&rows).unwrap();
        assert_eq!(found.dims(), [1, 4, BINS]);
        for window in found.get(0).unwrap().to_vec2::<f32>().unwrap() {
            // A Hann window of 256 has a sum of 128; half of it is in each of two frequencies, a half of that in the neighbours.
            assert!((window[20] - 64.0).abs() < 1e-3 && (window[19] - 32.0).abs() < 1e-3, "{:?}", &window[18..23]);
            assert!(window[40..].iter().all(|&x| x < 1e-3));
        }
    }
}
