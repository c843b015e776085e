//! The Walsh–Hadamard transform, in place: y\[j\] = Σ x\[h\]·(−1)^popcount(h & j).
//!
//! It stands in for a dense matrix of random directions: L·log₂ L additions a row instead of L for each direction.

/// Transforms a slice whose length is a power of two. Sums are taken in one fixed order.
pub fn transform(values: &mut [f32]) {
    debug_assert!(values.len().is_power_of_two(), "length {}", values.len());
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (a, b) in left.iter_mut().zip(right) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_it_says() {
        let input: Vec<f32> = (0..16u8).map(|i| f32::from(i * i % 7) - 2.0).collect();
        let mut fast = input.clone();
        transform(&mut fast);
        for (j, &found) in fast.iter().enumerate() {
            let sign = |h: usize| if (h & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            let slow: f32 = input.iter().enumerate().map(|(h, x)| x * sign(h)).sum();
            assert_eq!(found, slow, "{j}");
        }
    }
}
