//! The clock of this machine, and how long ago something was, in words. No time zone is read: that would be one more
//! thing that says where somebody is.

use std::time::{SystemTime, UNIX_EPOCH};

use fluent::fluent_args;
use poterne_protocol::time::UnixTime;

use crate::texts::Texts;

const MINUTE_SECS: u64 = 60;
const HOUR_SECS: u64 = 60 * MINUTE_SECS;
const DAY_SECS: u64 = 24 * HOUR_SECS;

/// The time of now. A clock before 1970 is at 1970: far enough off to be noticed.
pub fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// A length of time in the largest unit that it fills.
pub fn length(secs: u64, texts: &Texts) -> String {
    match secs {
        DAY_SECS.. => texts.with("age-days", &fluent_args!["count" => secs / DAY_SECS]),
        HOUR_SECS.. => texts.with("age-hours", &fluent_args!["count" => secs / HOUR_SECS]),
        _ => texts.with("age-minutes", &fluent_args!["count" => secs.div_ceil(MINUTE_SECS)]),
    }
}

/// How long ago something was.
pub fn ago(then: UnixTime, now: UnixTime, texts: &Texts) -> String {
    match now.since(then) {
        ..MINUTE_SECS => texts.say("just-now"),
        secs => texts.with("ago", &fluent_args!["age" => length(secs, texts)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let texts = Texts::new(Language::En);
        let told = |secs: u64| ago(UnixTime(1_000_000), UnixTime(1_000_000 + secs), &texts);
        assert_eq!(told(59), "just now");
        assert_eq!(told(60), "1 minute ago");
        assert_eq!(told(899), "15 minutes ago");
        assert_eq!(told(3 * 3600 + 59), "3 hours ago");
        assert_eq!(told(50 * 3600), "2 days ago");
    }

    #[test]
    fn what_lies_in_the_future_is_now() {
        assert_eq!(ago(UnixTime(9), UnixTime(5), &Texts::new(Language::En)), "just now");
    }
}
