//! What a person should know beyond the answer to her command (docs/cli.md §3.4).

use fluent::fluent_args;
use poterne_client_core::device::DeskWarning;
use poterne_client_core::requester;
use poterne_client_core::requester::Stop;
use serde_json::{Value, json};

use crate::texts::Texts;

const DAY_SECS: u64 = 86_400;

/// A warning, with its code for scripts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Warning {
    /// Another volunteer answers now.
    AnotherVolunteer,
    /// The keys of this case live twice.
    CaseStopped,
    /// This machine's clock is so many seconds behind (positive) or ahead; nothing is sealed.
    ClockOff { secs: i64 },
    /// The conversation is closed.
    Closed,
    /// Somebody else writes with the keys of this conversation.
    Fork,
    /// Requesters will soon find no notice of this desk: so many days are published, today among them.
    FewNotices { days: u32 },
    /// In a notice log stands something that this desk did not expect.
    ForeignNotice,
    /// A relay refuses to open the notice log of a day.
    LogTaken,
    /// A later message is here and an earlier one is not.
    Missing,
    /// A relay does not show a notice that was published there.
    MissingNotice,
    /// The desk's notice is not believed.
    Notice,
    /// A relay wants to be paid.
    Price,
    /// A relay refuses to open this desk's intakes or logs.
    Refused,
    /// Something else answers in the place of a relay.
    RelayWrong,
    /// A newer copy of this home has sent something.
    Rollback,
    /// Not all relays could be reached: there may be more.
    Unreached,
    /// An answer can't be checked yet.
    Unchecked,
    /// No more can be sent before an answer comes.
    Unanswered,
}

impl Warning {
    /// The code for scripts.
    pub fn code(self) -> &'static str {
        match self {
            Self::AnotherVolunteer => "another_volunteer",
            Self::CaseStopped => "case_stopped",
            Self::ClockOff { .. } => "clock_off",
            Self::Closed => "closed",
            Self::Fork => "fork",
            Self::FewNotices { .. } => "few_notices",
            Self::ForeignNotice => "foreign_notice",
            Self::LogTaken => "log_taken",
            Self::Missing => "missing",
            Self::MissingNotice => "missing_notice",
            Self::Notice => "notice",
            Self::Price => "price",
            Self::Refused => "refused",
            Self::RelayWrong => "relay_wrong",
            Self::Rollback => "rollback",
            Self::Unreached => "unreached",
            Self::Unchecked => "unchecked",
            Self::Unanswered => "unanswered",
        }
    }

    fn in_words(self, texts: &Texts) -> String {
        match self {
            Self::AnotherVolunteer => texts.say("warning-another-volunteer"),
            Self::CaseStopped => texts.say("warning-case-stopped"),
            Self::ClockOff { secs } => texts
                .with("warning-clock-off", &fluent_args!["days" => secs.unsigned_abs().div_ceil(DAY_SECS)]),
            Self::Closed => texts.say("warning-closed"),
            Self::Fork => texts.say("warning-fork"),
            Self::FewNotices { days } => texts.with("warning-few-notices", &fluent_args!["days" => days]),
            Self::ForeignNotice => texts.say("warning-foreign-notice"),
            Self::LogTaken => texts.say("warning-log-taken"),
            Self::Missing => texts.say("warning-missing"),
            Self::MissingNotice => texts.say("warning-missing-notice"),
            Self::Notice => texts.say("warning-notice"),
            Self::Price => texts.say("warning-price"),
            Self::Refused => texts.say("warning-refused"),
            Self::RelayWrong => texts.say("warning-relay-wrong"),
            Self::Rollback => texts.say("warning-rollback"),
            Self::Unreached => texts.say("warning-unreached"),
            Self::Unchecked => texts.say("warning-unchecked"),
            Self::Unanswered => texts.say("warning-unanswered"),
        }
    }
}

impl From<requester::Warning> for Warning {
    fn from(warning: requester::Warning) -> Self {
        match warning {
            requester::Warning::AnotherVolunteer => Self::AnotherVolunteer,
            requester::Warning::ClockOff { secs } => Self::ClockOff { secs },
            requester::Warning::Closed => Self::Closed,
            requester::Warning::Missing => Self::Missing,
            requester::Warning::Notice(_) => Self::Notice,
            requester::Warning::Price => Self::Price,
            requester::Warning::Stopped(Stop::Fork) => Self::Fork,
            requester::Warning::Stopped(Stop::Rollback) => Self::Rollback,
            requester::Warning::Unchecked => Self::Unchecked,
            requester::Warning::Unanswered => Self::Unanswered,
        }
    }
}

impl From<DeskWarning> for Warning {
    fn from(warning: DeskWarning) -> Self {
        match warning {
            DeskWarning::ClockOff { secs } => Self::ClockOff { secs },
            DeskWarning::FewNotices { days } => Self::FewNotices { days },
            DeskWarning::ForeignNotice => Self::ForeignNotice,
            DeskWarning::LogTaken => Self::LogTaken,
            DeskWarning::MissingNotice => Self::MissingNotice,
            DeskWarning::Refused => Self::Refused,
        }
    }
}

/// For scripts.
pub fn codes(warnings: &[Warning]) -> Value {
    json!(warnings.iter().map(|warning| warning.code()).collect::<Vec<_>>())
}

/// Seconds that this machine's clock is behind (positive) or ahead; 0 while that is no matter.
pub fn clock_off_secs(warnings: &[Warning]) -> i64 {
    let off = |warning: &Warning| match warning {
        Warning::ClockOff { secs } => Some(*secs),
        _ => None,
    };
    warnings.iter().find_map(off).unwrap_or_default()
}

/// For people, one a line.
pub fn in_words(warnings: &[Warning], texts: &Texts) -> String {
    warnings.iter().map(|warning| format!("! {}\n", warning.in_words(texts))).collect()
}
