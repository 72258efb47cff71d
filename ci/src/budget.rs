//! How long a search may take: a count of schedules, or a span of time.

use std::time::Duration;

use harness::explore::Budget;

/// Reads a budget, such as `100000`, `30s`, `10m` or `1h`.
pub(crate) fn parse_budget(text: &str) -> Result<Budget, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| hint(text))?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    let time = match unit {
        "" => return if number > 0 { Ok(Budget::Schedules(number)) } else { Err(hint(text)) },
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        _ => None,
    };
    time.filter(|time| !time.is_zero()).map(Budget::Time).ok_or_else(|| hint(text))
}

fn hint(text: &str) -> String {
    format!(
        "`{text}` is no budget; write a number of schedules above 0, such as 100000, or a time, such as 500ms, 30s, 10m or 1h"
    )
}
