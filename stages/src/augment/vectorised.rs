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
                if std::arch::is_x86_feature_detected!("avx2") {
                    // Safety: the processor has AVX2.
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            anywhere($($arg),*)
        }
    };
}
pub(super) use vectorised;

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
