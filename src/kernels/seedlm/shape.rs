//! The shapes of block that the kernel offers, and the tables each of them needs.

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::codec;
use super::lists::CellLists;
use super::rounding::Rounding;
use super::scan::Tables;
use super::subspace::Subspace;
use crate::error::DecodeError;
use crate::kernel::{PartSize, Parts};
use crate::simd::Level;

/// Bits a weight, which stand for a block of C weights and P coefficients: (16 + 4 + 4P) / C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bits {
    /// 3: C = 12, P = 4.
    Three,
    /// 4: C = 8, P = 3.
    #[default]
    Four,
    /// 4.5: C = 8, P = 4.
    FourAndHalf,
    /// 6.5: C = 8, P = 8.
    SixAndHalf,
}

impl Bits {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Three, Self::Four, Self::FourAndHalf, Self::SixAndHalf];

    /// As a number.
    pub const fn value(self) -> f64 {
        match self {
            Self::Three => 3.0,
            Self::Four => 4.0,
            Self::FourAndHalf => 4.5,
            Self::SixAndHalf => 6.5,
        }
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Three => serializer.serialize_u64(3),
            Self::Four => serializer.serialize_u64(4),
            Self::FourAndHalf | Self::SixAndHalf => serializer.serialize_f64(self.value()),
        }
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|bits| value.as_f64() == Some(bits.value()));
        found.ok_or_else(|| de::Error::custom(format!("bits is {value}; it must be 3, 4, 4.5 or 6.5")))
    }
}

/// Tables made on first use and kept, as they depend on nothing but the shape.
macro_rules! tables {
    ($c:literal, $p:literal, $bound:ty) => {{
        static TABLES: OnceLock<Tables<$c, $p, $bound>> = OnceLock::new();
        TABLES.get_or_init(Tables::build)
    }};
}

impl Bits {
    /// Packs values. Lists make the search faster where there are some for the shape; the parts are the same.
    pub fn encode(self, values: &[f32], level: Level, lists: Option<&CellLists>) -> Parts {
        match self {
            Self::Three => codec::encode(tables!(12, 4, Subspace), values, level),
            Self::Four => {
                let tables = tables!(8, 3, Subspace);
                let scan = || codec::encode(tables, values, level);
                lists.map_or_else(scan, |lists| lists.encode(tables, values, level))
            }
            Self::FourAndHalf => codec::encode(tables!(8, 4, Subspace), values, level),
            Self::SixAndHalf => codec::encode(tables!(8, 8, Rounding), values, level),
        }
    }

    /// Sizes of the parts of `count` values.
    pub fn packed_sizes(self, count: usize) -> Vec<PartSize> {
        match self {
            Self::Three => codec::packed_sizes::<12, 4>(count),
            Self::Four => codec::packed_sizes::<8, 3>(count),
            Self::FourAndHalf => codec::packed_sizes::<8, 4>(count),
            Self::SixAndHalf => codec::packed_sizes::<8, 8>(count),
        }
    }

    /// Unpacks `count` values.
    pub fn decode(self, parts: &Parts, count: usize, level: Level) -> Result<Vec<f32>, DecodeError> {
        match self {
            Self::Three => codec::decode::<12, 4>(parts, count, level),
            Self::Four => codec::decode::<8, 3>(parts, count, level),
            Self::FourAndHalf => codec::decode::<8, 4>(parts, count, level),
            Self::SixAndHalf => codec::decode::<8, 8>(parts, count, level),
        }
    }

    /// What the error of each value is at most, before rounding to a dtype.
    pub fn error_bounds(self, values: &[f32]) -> Vec<f32> {
        match self {
            Self::Three => codec::error_bounds::<12, 4>(values),
            Self::Four => codec::error_bounds::<8, 3>(values),
            Self::FourAndHalf => codec::error_bounds::<8, 4>(values),
            Self::SixAndHalf => codec::error_bounds::<8, 8>(values),
        }
    }
}
