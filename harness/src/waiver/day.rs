//! Days, as waivers expire on them.

use std::str::FromStr;
use std::time::SystemTime;

/// A day of the calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The day it is at a moment.
    pub fn of(time: SystemTime) -> Self {
        let text = humantime::format_rfc3339_seconds(time).to_string();
        text.get(..10).and_then(|day| day.parse().ok()).unwrap_or(Self { year: u16::MAX, month: 12, day: 31 })
    }

    /// A day of a TOML date without a time.
    pub fn of_toml(date: &toml::value::Datetime) -> Option<Self> {
        let (date, None, None) = (date.date?, &date.time, &date.offset) else { return None };
        Some(Self { year: date.year, month: date.month, day: date.day })
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let date = text.parse::<toml::value::Datetime>().ok().as_ref().and_then(Self::of_toml);
        date.ok_or_else(|| format!("'{text}' is no day; write it as 2026-12-31"))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_ordered_and_come_back() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert!(day("2025-12-31") < day("2026-01-01") && day("2026-02-01") > day("2026-01-31"));
        assert_eq!(day("2026-03-04").to_string(), "2026-03-04");
        assert_eq!(Day::of(SystemTime::UNIX_EPOCH).to_string(), "1970-01-01");
        for wrong in ["2026-13-01", "tomorrow", "2026-01-01T00:00:00Z", ""] {
            assert!(wrong.parse::<Day>().unwrap_err().contains("2026-12-31"), "{wrong}");
        }
    }
}
