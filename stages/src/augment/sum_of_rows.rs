//! The inner loop of everything that filters.

/// A number as an image holds it.
pub trait Sample: Copy {
    /// What turns it into a value in [0, 1].
    const SCALE: f32;
    fn number(self) -> f32;
}

impl Sample for u8 {
    const SCALE: f32 = 1.0 / 255.0;

    #[inline(always)]
    fn number(self) -> f32 {
        f32::from(self)
    }
}

impl Sample for f32 {
    const SCALE: f32 = 1.0;

    #[inline(always)]
    fn number(self) -> f32 {
        self
    }
}

/// Sums that are held in registers at a time.
const LANES: usize = 16;

/// Makes `to` the sum of `row(0)`, `row(1)`, ..., each times its weight. Rows are at least as long as `to`.
#[inline(always)]
pub fn sum_of_rows<'a, T: Sample + 'a>(to: &mut [f32], weights: &[f32], row: impl Fn(usize) -> &'a [T]) {
    let (blocks, rest) = to.as_chunks_mut::<LANES>();
    for (number, block) in blocks.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (tap, &weight) in weights.iter().enumerate() {
            let from = &row(tap)[number * LANES..][..LANES];
            for (sum, &sample) in sums.iter_mut().zip(from) {
                *sum += weight * sample.number();
            }
        }
        *block = sums;
    }
    let done = blocks.len() * LANES;
    rest.fill(0.0);
    for (tap, &weight) in weights.iter().enumerate() {
        for (sum, &sample) in rest.iter_mut().zip(&row(tap)[done..]) {
            *sum += weight * sample.number();
        }
    }
}
