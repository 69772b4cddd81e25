//! The table that is printed.

/// Its head.
pub fn head() {
    println!("| what | service | beside | ratio | must be | |");
    println!("|---|---|---|---|---|---|");
}

/// A line: what was measured, here and beside it, the ratio of both, and what it must be.
pub fn line(what: &str, here: &str, beside: &str, ratio: f64, must: Must) {
    let (must, held) = match must {
        Must::AtLeast(bound) => (format!("at least {bound}"), Some(ratio >= bound)),
        Must::AtMost(bound) => (format!("at most {bound}"), Some(ratio <= bound)),
        Must::Nothing => (String::new(), None),
    };
    let verdict = held.map_or("", |held| if held { "held" } else { "MISSED" });
    println!("| {what} | {here} | {beside} | {} | {must} | {verdict} |", digits(ratio));
}

/// What a ratio must be.
#[derive(Clone, Copy, Debug)]
pub enum Must {
    AtLeast(f64),
    AtMost(f64),
    Nothing,
}

/// Three digits.
pub fn digits(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    let places = (2 - value.abs().log10().floor() as i32).max(0);
    format!("{value:.*}", places as usize)
}
