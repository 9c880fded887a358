//! Numbers as people read them.

/// A number with its thousands set apart.
#[must_use]
pub fn thousands(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_set_apart() {
        let cases =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (-5_943_739, "-5,943,739"), (28_816, "28,816")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
    }
}
