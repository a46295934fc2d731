//! One place that knows of instruction sets.

/// Compiles a function twice, for any processor and with AVX2, and takes at every call what the processor has. What is
/// called within must be inlined. Loops are written for the compiler to vectorise; neither it nor they contract a product
/// and a sum into one rounding, and sums are over lanes of fixed number: so both give the same bits.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$generic:ident: $bound:path>)? ($($arg:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<$generic: $bound>)? ($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn anywhere $(<$generic: $bound>)? ($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn with_avx2 $(<$generic: $bound>)? ($($arg: $type),*) $(-> $result)? {
                    anywhere($($arg),*)
                }
                if crate::augment::vectorised::has_avx2() {
                    // Safety: the processor has AVX2.
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            anywhere($($arg),*)
        }
    };
}
pub(super) use vectorised;

#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn has_avx2() -> bool {
    #[cfg(test)]
    if tests::WITHOUT_AVX2.get() {
        return false;
    }
    std::arch::is_x86_feature_detected!("avx2")
}

/// The smaller of two numbers, as one instruction: `f32::min` asks for NaN as well.
#[inline(always)]
pub fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The greater of two numbers.
#[inline(always)]
pub fn most(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Clamped to [0, 1].
#[inline(always)]
pub fn unit(a: f32) -> f32 {
    least(most(a, 0.0), 1.0)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use crate::augment::{Image, MultiCropViews, Normaliser, TrivialAugmentViews, ViewKey, samples};
    use std::cell::Cell;

    thread_local! {
        pub static WITHOUT_AVX2: Cell<bool> = const { Cell::new(false) };
    }

    #[test]
    fn the_instruction_set_changes_no_bit() {
        let normaliser = Normaliser::new(&[0.5, 0.4, 0.3], &[0.2, 0.25, 0.3]);
        let views = |without: bool| {
            WITHOUT_AVX2.set(without);
            let mut made = vec![];
            for policy in [MultiCropViews::default_policy(), TrivialAugmentViews::default_policy()] {
                for (number, sample) in samples().iter().enumerate() {
                    for view in 0..100 {
                        let mut image = Image::default();
                        policy.apply(sample.source(), ViewKey { seed: 0, epoch: 0, image: number, view }, &mut image);
                        let mut values = vec![0.0; image.data.len()];
                        normaliser.image(&image, &mut values);
                        made.extend(values.into_iter().map(f32::to_bits));
                    }
                }
            }
            WITHOUT_AVX2.set(false);
            made
        };
        assert!(views(true) == views(false));
    }
}
