//! Steps of recurrent networks.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, bail};

use super::activations::{sigmoid, tanh, values};

/// A step of an LSTM: (input's share + bias, state's share, cell) → (next state, next cell), stacked. Gates in the order i, f, g, o.
pub(super) struct LstmCell;

impl CustomOp3 for LstmCell {
    fn name(&self) -> &'static str {
        "lstm-cell"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (from_input, from_state, cells) = (values(s1, l1)?, values(s2, l2)?, values(s3, l3)?);
        let (rows, hidden) = l3.shape().dims2()?;
        if l1.dims() != [rows, 4 * hidden] || l2.dims() != [rows, 4 * hidden] {
            bail!("gates {:?} and {:?} for a cell of {:?}", l1.dims(), l2.dims(), l3.dims());
        }
        let mut out = vec![0.0; 2 * rows * hidden];
        let (states, next_cells) = out.split_at_mut(rows * hidden);
        let mut gates = vec![0.0; 4 * hidden];
        for row in 0..rows {
            let all = row * 4 * hidden..(row + 1) * 4 * hidden;
            for ((gate, a), b) in gates.iter_mut().zip(&from_input[all.clone()]).zip(&from_state[all]) {
                *gate = a + b;
            }
            let own = row * hidden..(row + 1) * hidden;
            let (cell, next, state) = (&cells[own.clone()], &mut next_cells[own.clone()], &mut states[own]);
            // Slices of one known length let the loop below vectorise.
            let gate = |n: usize| &gates[n * hidden..][..hidden];
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let (cell, next, state) = (&cell[..hidden], &mut next[..hidden], &mut state[..hidden]);
            for j in 0..hidden {
                next[j] = sigmoid(f[j]) * cell[j] + sigmoid(i[j]) * tanh(g[j]);
                state[j] = sigmoid(o[j]) * tanh(next[j]);
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((2, rows, hidden))))
    }
}
