//! Steps of recurrent networks.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, bail};

use super::activations::{sigmoid, tanh, values};
use crate::vectors::vectorised;

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
        vectorised(
            #[inline(always)]
            || {
                let mut gates = vec![0.0; 4 * hidden];
                for row in 0..rows {
                    let all = row * 4 * hidden..(row + 1) * 4 * hidden;
                    for ((gate, a), b) in gates.iter_mut().zip(&from_input[all.clone()]).zip(&from_state[all]) {
                        *gate = a + b;
                    }
                    let own = row * hidden..(row + 1) * hidden;
                    lstm_row(&gates, &cells[own.clone()], &mut next_cells[own.clone()], &mut states[own]);
                }
            },
        );
        Ok((CpuStorage::F32(out), Shape::from((2, rows, hidden))))
    }
}

/// One row: gates and cell → next cell and next state.
#[inline(always)]
fn lstm_row(gates: &[f32], cell: &[f32], next: &mut [f32], state: &mut [f32]) {
    let hidden = cell.len();
    // Slices of one known length let the loop below vectorise.
    let gate = |n: usize| &gates[n * hidden..][..hidden];
    let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
    let (next, state) = (&mut next[..hidden], &mut state[..hidden]);
    for j in 0..hidden {
        next[j] = sigmoid(f[j]) * cell[j] + sigmoid(i[j]) * tanh(g[j]);
        state[j] = sigmoid(o[j]) * tanh(next[j]);
    }
}

/// A step of a GRU: (input's share + its bias, state's share + its bias, state) → next state. Gates in the order r, z, n, where r applies to
/// the state's share of n, bias included (PyTorch's form).
pub(super) struct GruCell;

impl CustomOp3 for GruCell {
    fn name(&self) -> &'static str {
        "gru-cell"
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
        let (from_input, from_state, states) = (values(s1, l1)?, values(s2, l2)?, values(s3, l3)?);
        let (rows, hidden) = l3.shape().dims2()?;
        if l1.dims() != [rows, 3 * hidden] || l2.dims() != [rows, 3 * hidden] {
            bail!("gates {:?} and {:?} for a state of {:?}", l1.dims(), l2.dims(), l3.dims());
        }
        let mut out = vec![0.0; rows * hidden];
        vectorised(
            #[inline(always)]
            || {
                for (row, next) in out.chunks_mut(hidden.max(1)).enumerate() {
                    let all = row * 3 * hidden..(row + 1) * 3 * hidden;
                    gru_row(&from_input[all.clone()], &from_state[all], &states[row * hidden..][..hidden], next);
                }
            },
        );
        Ok((CpuStorage::F32(out), Shape::from((rows, hidden))))
    }
}

/// One row: shares of the gates and state → next state.
#[inline(always)]
fn gru_row(from_input: &[f32], from_state: &[f32], state: &[f32], next: &mut [f32]) {
    let hidden = state.len();
    let gate = |n: usize| (&from_input[n * hidden..][..hidden], &from_state[n * hidden..][..hidden]);
    let (r, z, n) = (gate(0), gate(1), gate(2));
    let next = &mut next[..hidden];
    for j in 0..hidden {
        let new = tanh(n.0[j] + sigmoid(r.0[j] + r.1[j]) * n.1[j]);
        let keep = sigmoid(z.0[j] + z.1[j]);
        next[j] = (1.0 - keep) * new + keep * state[j];
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    /// Values that are small and differ.
    fn some(shape: (usize, usize)) -> Tensor {
        Tensor::from_iter((0..shape.0 * shape.1).map(|i| ((i * 37) % 23) as f32 / 8.0 - 1.4), &Device::Cpu).unwrap().reshape(shape).unwrap()
    }

    #[test]
    fn cells_follow_their_definitions() {
        let (rows, hidden) = (3, 5);
        let sigmoid = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
        let tanh = |x: f64| x.tanh();
        let state = some((rows, hidden));
        let old = state.to_vec2::<f32>().unwrap();
        let rows_of = |t: &Tensor| t.to_vec2::<f32>().unwrap();

        let (a, b) = (some((rows, 3 * hidden)), (some((rows, 3 * hidden)) * 0.7).unwrap());
        let found = rows_of(&a.apply_op3_no_bwd(&b, &state, &GruCell).unwrap());
        let (a, b) = (rows_of(&a), rows_of(&b));
        for (row, j) in (0..rows).flat_map(|row| (0..hidden).map(move |j| (row, j))) {
            let sum = |gate: usize| a[row][gate * hidden + j] + b[row][gate * hidden + j];
            let new = tanh(f64::from(a[row][2 * hidden + j]) + sigmoid(sum(0)) * f64::from(b[row][2 * hidden + j]));
            let next = (1.0 - sigmoid(sum(1))) * new + sigmoid(sum(1)) * f64::from(old[row][j]);
            assert!((f64::from(found[row][j]) - next).abs() < 1e-6, "GRU {row} {j}");
        }

        let (a, b) = (some((rows, 4 * hidden)), (some((rows, 4 * hidden)) * 0.7).unwrap());
        let found = a.apply_op3_no_bwd(&b, &state, &LstmCell).unwrap().to_vec3::<f32>().unwrap();
        let (a, b) = (rows_of(&a), rows_of(&b));
        for (row, j) in (0..rows).flat_map(|row| (0..hidden).map(move |j| (row, j))) {
            let sum = |gate: usize| a[row][gate * hidden + j] + b[row][gate * hidden + j];
            let cell = sigmoid(sum(1)) * f64::from(old[row][j]) + sigmoid(sum(0)) * tanh(f64::from(sum(2)));
            assert!((f64::from(found[1][row][j]) - cell).abs() < 1e-6, "LSTM {row} {j}");
            assert!((f64::from(found[0][row][j]) - sigmoid(sum(3)) * tanh(cell)).abs() < 1e-6, "LSTM {row} {j}");
        }
    }
}
