//! The network of g2p-en (Park and Kim 2019): a GRU reads the letters of a word, another writes its phonemes from where the first one ended.
//!
//! Words of different lengths go together: at each step only those that are not at their end take part, so nothing is padded.

use candle_core::{DType, Device, Result, Tensor};

use super::cells::GruCell;
use super::data::Word;
use super::network::Network;
use super::score::argmax;

/// A word that has not ended by then is cut off.
const LONGEST: usize = 20;

/// Words → logits of the next phoneme after each of the phonemes that a word is given with, word by word.
pub(super) fn forward(network: &Network, words: &[Word]) -> Result<Tensor> {
    let mut running = Running::new(read(network, words)?);
    let starts = words.iter().scan(0, |next, word| {
        let start = *next;
        *next += word.phonemes.len();
        Some(start)
    });
    let starts = starts.collect::<Vec<_>>();
    let rows = words.iter().map(|w| w.phonemes.len()).sum::<usize>();
    let (mut out, mut classes) = (Vec::new(), 0);
    for step in 0.. {
        running.drop_where(|word| words[word].phonemes.len() <= step)?;
        if running.words.is_empty() {
            break;
        }
        let logits = running.write(network, |word| words[word].phonemes[step])?;
        classes = logits.dim(1)?;
        out.resize(rows * classes, 0.0);
        for (logits, &word) in logits.to_vec2::<f32>()?.iter().zip(&running.words) {
            out[(starts[word] + step) * classes..][..classes].copy_from_slice(logits);
        }
    }
    Tensor::from_vec(out, (rows, classes), &Device::Cpu)
}

/// What the network writes for each word if it always goes on with its likeliest phoneme.
pub(super) fn transcribe(network: &Network, words: &[Word], end: u32) -> Result<Vec<Vec<u32>>> {
    let mut running = Running::new(read(network, words)?);
    let mut written = vec![Vec::new(); words.len()];
    for _ in 0..LONGEST {
        let last = |word: usize| written[word].last().copied().unwrap_or(words[word].phonemes[0]);
        let logits = running.write(network, last)?.to_vec2::<f32>()?;
        let mut ended = vec![false; words.len()];
        for (logits, &word) in logits.iter().zip(&running.words) {
            match u32::try_from(argmax(logits)) {
                Ok(phoneme) if phoneme != end => written[word].push(phoneme),
                _ => ended[word] = true,
            }
        }
        running.drop_where(|word| ended[word])?;
        if running.words.is_empty() {
            break;
        }
    }
    Ok(written)
}

/// State after the letters of each word: words × hidden.
fn read(network: &Network, words: &[Word]) -> Result<Tensor> {
    let hidden = network.shape("enc_w_hh")?.last().copied().unwrap_or(0);
    let mut running = Running::new(Tensor::zeros((words.len(), hidden), DType::F32, &Device::Cpu)?);
    let (mut ended, mut states) = (Vec::new(), Vec::new());
    for step in 0.. {
        if let Some((places, state)) = running.drop_where(|word| words[word].letters.len() <= step)? {
            ended.extend(places);
            states.push(state);
        }
        if running.words.is_empty() {
            break;
        }
        running.step(network, "enc", |word| words[word].letters[step])?;
    }
    let mut places = vec![0u32; words.len()];
    for (place, word) in (0..).zip(ended) {
        places[word] = place;
    }
    Tensor::cat(&states, 0)?.index_select(&Tensor::from_vec(places, words.len(), &Device::Cpu)?, 0)
}

/// The words that have not ended, and their states.
struct Running {
    words: Vec<usize>,
    /// One row a word.
    state: Tensor,
}

impl Running {
    /// All words, from these states.
    fn new(state: Tensor) -> Self {
        Self { words: (0..state.dims()[0]).collect(), state }
    }

    /// Lets words go; gives them and their states, if any go.
    fn drop_where(&mut self, ended: impl Fn(usize) -> bool) -> Result<Option<(Vec<usize>, Tensor)>> {
        let (gone, left): (Vec<_>, Vec<_>) = (0u32..).zip(&self.words).partition(|&(_, &word)| ended(word));
        if gone.is_empty() {
            return Ok(None);
        }
        let pick = |rows: &[(u32, &usize)]| self.state.index_select(&Tensor::from_iter(rows.iter().map(|r| r.0), &Device::Cpu)?, 0);
        let words = |rows: &[(u32, &usize)]| rows.iter().map(|r| *r.1).collect::<Vec<_>>();
        let dropped = (words(&gone), pick(&gone)?);
        let kept = if left.is_empty() { self.state.narrow(0, 0, 0)? } else { pick(&left)? };
        (self.words, self.state) = (words(&left), kept);
        Ok(Some(dropped))
    }

    /// One step of the encoder (`enc`) or the decoder (`dec`) with a symbol for each word.
    fn step(&mut self, network: &Network, part: &str, symbol: impl Fn(usize) -> u32) -> Result<()> {
        let symbols = Tensor::from_iter(self.words.iter().map(|&word| symbol(word)), &Device::Cpu)?;
        let bias = |name: &str| network.tensor(&format!("{part}_b_{name}"));
        let x = network.rows(&format!("{part}_emb"), &symbols)?;
        let from_input = network.product(&format!("{part}_w_ih"), &x)?.broadcast_add(bias("ih")?)?;
        let from_state = network.product(&format!("{part}_w_hh"), &self.state)?.broadcast_add(bias("hh")?)?;
        self.state = from_input.apply_op3_no_bwd(&from_state, &self.state, &GruCell)?;
        Ok(())
    }

    /// One step of the decoder, and the logits of the next phoneme.
    fn write(&mut self, network: &Network, phoneme: impl Fn(usize) -> u32) -> Result<Tensor> {
        self.step(network, "dec", phoneme)?;
        network.product("fc_w", &self.state)?.broadcast_add(network.tensor("fc_b")?)
    }
}
