//! Instruction-set levels. Every level gives the same bits: levels exist for speed, and tests force the lower ones.

use std::sync::OnceLock;

/// A set of instructions a kernel may use, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the compiler's baseline target offers.
    Scalar,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// Name as `WEIGHBRIDGE_SIMD` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The levels this processor has, lowest first.
    pub fn available() -> Vec<Self> {
        [Self::Scalar, Self::Avx2, Self::Avx512].into_iter().filter(|&l| l <= Self::detected()).collect()
    }

    /// The highest level this processor has.
    pub fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx2 && avx512 {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Scalar
    }

    /// The level to use: the detected one, or the lower one that the environment variable `WEIGHBRIDGE_SIMD` names.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let asked = std::env::var("WEIGHBRIDGE_SIMD").ok();
            let cap = [Self::Scalar, Self::Avx2, Self::Avx512].into_iter().find(|l| asked.as_deref() == Some(l.name()));
            cap.map_or(Self::detected(), |cap| cap.min(Self::detected()))
        })
    }
}
