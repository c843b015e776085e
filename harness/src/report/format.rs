//! Numbers for people: four significant digits, units in the cell, a sign on every change.

use crate::model::metric::Metric;

/// Four significant digits; very large and very small numbers in scientific notation.
pub fn number(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let magnitude = x.abs().log10().floor();
    if !(-4.0..6.0).contains(&magnitude) {
        return format!("{x:.3e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the magnitude is between -4 and 6")]
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    format!("{x:.decimals$}")
}

/// Bytes in binary units.
pub fn bytes(x: f64) -> String {
    let (mut value, mut unit) = (x, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value.abs() < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{value:.0} B") } else { format!("{} {unit}", number(value)) }
}

/// A metric's value with its unit.
pub fn value(metric: &Metric, x: f64) -> String {
    match metric.unit {
        "B" => bytes(x),
        "" => number(x),
        "x" => format!("{}x", number(x)),
        "%" | "pt" => format!("{x:.3} {}", metric.unit),
        unit => format!("{} {unit}", number(x)),
    }
}

/// A change in per cent, with sign; small ones keep two digits that matter.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        "0 %".to_owned()
    } else if percent.abs() < 0.01 {
        format!("{percent:+.1e} %")
    } else if percent.abs() < 1000.0 {
        format!("{percent:+.2} %")
    } else {
        format!("{percent:+.3e} %")
    }
}

/// Change from before to after, relative where that means something, else in the metric's unit.
pub fn change(metric: &Metric, before: Option<f64>, after: Option<f64>) -> String {
    match (before, after) {
        (Some(b), Some(a)) if a == b => "0".to_owned(),
        (Some(b), Some(a)) if matches!(metric.unit, "%" | "pt" | "dB") => format!("{:+.3} {}", a - b, metric.unit.replace('%', "pt")),
        (Some(b), Some(a)) if b != 0.0 => percent(a / b - 1.0),
        (Some(b), Some(a)) => format!("{}{}", if a > b { "+" } else { "" }, value(metric, a - b)),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::metric;

    #[test]
    fn numbers_are_short_and_keep_four_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1.000"),
            (0.123_456, "0.1235"),
            (1234.6, "1235"),
            (123_456.0, "123456"),
            (1e-9, "1.000e-9"),
            (-2.5, "-2.500"),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text);
        }
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(1536.0), "1.500 KiB");
        assert_eq!(bytes(3.0 * 1024.0 * 1024.0), "3.000 MiB");
    }

    #[test]
    fn changes_carry_sign_and_unit() {
        let m = |name| metric(name).unwrap();
        assert_eq!(change(m("compression_ratio"), Some(8.0), Some(7.6)), "-5.00 %");
        assert_eq!(change(m("top1_accuracy"), Some(97.0), Some(96.5)), "-0.500 pt");
        assert_eq!(change(m("max_abs_error"), Some(0.0), Some(0.5)), "+0.5000");
        assert_eq!(change(m("max_abs_error"), Some(1.0), Some(1.0)), "0");
        assert_eq!(change(m("max_abs_error"), None, Some(1.0)), "–");
        assert_eq!(percent(0.000_000_1), "+1.0e-5 %");
    }
}
