//! Why a command failed: a code for scripts, which is never translated, and two sentences for people.
//!
//! Invariant: no failure quotes a passphrase, a text or a card.

use std::io::{self, ErrorKind};
use std::path::Path;

use fluent::{FluentArgs, fluent_args};
use poterne_client_core::stored::StoredError;
use poterne_client_core::vault::{CommitError, DiskError, FormatError, HeaderError, OpenError};
use serde_json::{Value, json};

use crate::texts::Texts;

/// The command was understood and failed.
pub const EXIT_FAILED: u8 = 1;
/// The words were not understood.
pub const EXIT_USAGE: u8 = 2;

/// Declares the failures with their codes, so that a code without a text is found by a test.
macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident: $type:ty),* })? = $code:literal,)*) => {
        /// Why a command failed.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum Failure {
            $($(#[$doc])* $name $({ $($field: $type),* })?,)*
        }

        /// The codes of all failures.
        #[cfg(test)]
        pub const CODES: &[&str] = &[$($code),*];

        impl Failure {
            /// The code for scripts.
            pub fn code(&self) -> &'static str {
                match self { $(Self::$name { .. } => $code,)* }
            }
        }
    };
}

failures! {
    /// The card is made on another device of the desk.
    CardElsewhere = "card_elsewhere",
    /// A text that is no card, or a damaged one.
    CardInvalid = "card_invalid",
    /// A card for a newer program.
    CardNewer = "card_newer",
    /// The case is closed.
    CaseClosed = "case_closed",
    /// The keys of the case live twice.
    CaseStopped = "case_stopped",
    /// This device has no lease on the request.
    CaseUnclaimed = "case_unclaimed",
    /// There is no such case.
    CaseUnknown = "case_unknown",
    /// The volunteer has closed the conversation.
    ConversationClosed = "conversation_closed",
    /// There is no conversation yet.
    ConversationNone = "conversation_none",
    /// There is no such conversation.
    ConversationUnknown = "conversation_unknown",
    /// There are several, and none was named.
    ConversationUnnamed { ids: String } = "conversation_unnamed",
    /// The home has a desk already.
    DeskExists = "desk_exists",
    /// The desk's name is empty or too long.
    DeskNameInvalid = "desk_name_invalid",
    /// A message that says nothing would begin or reopen something.
    CoverTooEarly = "cover_too_early",
    /// The desk has given this device nothing for today.
    DeskSilent = "desk_silent",
    /// There is nothing in the file.
    FileEmpty = "file_empty",
    /// The vault has no room for the file beside others.
    FileRoom = "file_room",
    /// The file is longer than can be sent.
    FileTooLarge = "file_too_large",
    /// The file can't be read.
    FileUnreadable { path: String, kind: ErrorKind } = "file_unreadable",
    /// A file that came can't be written there.
    FileUnsaved { path: String, kind: ErrorKind } = "file_unsaved",
    /// Two live copies of the keys of one conversation.
    Fork = "fork",
    /// The home lies where it can't be read or written.
    HomeDenied { path: String, kind: ErrorKind } = "home_denied",
    /// Another process has the home open.
    HomeInUse { path: String } = "home_in_use",
    /// A desk's home is asked for what requesters do.
    HomeIsDesk = "home_is_desk",
    /// A requester's home can't become a desk's.
    HomeIsRequester = "home_is_requester",
    /// There is no vault there yet, and the command makes none.
    HomeMissing { path: String } = "home_missing",
    /// A home without a desk is asked for what desks do.
    HomeNoDesk = "home_no_desk",
    /// No folder is named, and the system names none.
    HomeUnnamed = "home_unnamed",
    /// Standard input can't be read.
    InputFailed { kind: ErrorKind } = "input_failed",
    /// The person has broken off.
    Interrupted = "interrupted",
    /// The machine hasn't the memory that a passphrase takes.
    Memory = "memory",
    /// Standard output can't be written.
    OutputFailed { kind: ErrorKind } = "output_failed",
    /// The two passphrases that were typed differ.
    PassphraseDiffers = "passphrase_differs",
    /// The passphrase has no letter.
    PassphraseEmpty = "passphrase_empty",
    /// No passphrase file and no terminal to ask at.
    PassphraseMissing = "passphrase_missing",
    /// The passphrase opens this home already.
    PassphraseSame = "passphrase_same",
    /// A person's own passphrase is too short.
    PassphraseShort { letters: usize } = "passphrase_short",
    /// The passphrase file can't be read.
    PassphraseUnreadable { path: String, kind: ErrorKind } = "passphrase_unreadable",
    /// No slot of the vault opens with it.
    PassphraseWrong = "passphrase_wrong",
    /// The photo is broken or cut off.
    PhotoBroken = "photo_broken",
    /// The photo has more pixels than can be decoded, or can't be made small enough.
    #[cfg_attr(not(feature = "photo"), expect(dead_code, reason = "without it no picture is decoded"))]
    PhotoTooLarge = "photo_too_large",
    /// The photo is of a format that is not read here.
    PhotoUnknown = "photo_unknown",
    /// No request waits.
    QueueEmpty = "queue_empty",
    /// A relay's address is not of its form.
    RelayInvalid = "relay_invalid",
    /// No relay could be reached.
    RelayUnreachable = "relay_unreachable",
    /// Another device has the request.
    RequestTaken = "request_taken",
    /// There is no such request.
    RequestUnknown = "request_unknown",
    /// A newer copy of this home has sent something.
    Rollback = "rollback",
    /// There is no text.
    TextEmpty = "text_empty",
    /// The text is longer than a message can be.
    TextTooLong = "text_too_long",
    /// The input is no text in UTF-8.
    TextUnreadable = "text_unreadable",
    /// So much was sent without an answer that no more can be.
    Unanswered = "unanswered",
    /// The words were not understood.
    Usage { message: String } = "usage",
    /// A page or record of the vault is damaged.
    VaultDamaged = "vault_damaged",
    /// The vault's disk failed.
    VaultFailed { kind: ErrorKind } = "vault_failed",
    /// No space is left in the vault.
    VaultFull = "vault_full",
    /// A newer program wrote the vault.
    VaultNewer = "vault_newer",
    /// The file is no vault.
    VaultUnknown = "vault_unknown",
    /// The wiping was not confirmed.
    WipeUnconfirmed = "wipe_unconfirmed",
}

impl Failure {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => EXIT_USAGE,
            _ => EXIT_FAILED,
        }
    }

    /// What happened, and what to do now.
    pub fn message(&self, texts: &Texts) -> String {
        texts.with(&format!("error-{}", self.code().replace('_', "-")), &self.variables(texts))
    }

    /// `{"error": {"code": …, "message": …}}`
    pub fn json(&self, texts: &Texts) -> Value {
        json!({"error": {"code": self.code(), "message": self.message(texts)}})
    }

    fn variables(&self, texts: &Texts) -> FluentArgs<'static> {
        match self.clone() {
            Self::FileUnreadable { path, kind }
            | Self::FileUnsaved { path, kind }
            | Self::HomeDenied { path, kind }
            | Self::PassphraseUnreadable { path, kind } => {
                fluent_args!["path" => path, "reason" => reason(kind, texts)]
            }
            Self::ConversationUnnamed { ids } => fluent_args!["ids" => ids],
            Self::HomeInUse { path } | Self::HomeMissing { path } => fluent_args!["path" => path],
            Self::InputFailed { kind } | Self::OutputFailed { kind } | Self::VaultFailed { kind } => {
                fluent_args!["reason" => reason(kind, texts)]
            }
            Self::PassphraseShort { letters } => fluent_args!["letters" => letters],
            Self::Usage { message } => fluent_args!["message" => message],
            _ => FluentArgs::new(),
        }
    }

    /// Words that clap refuses. They may be a text or a passphrase at the wrong place, so they are not quoted.
    pub fn usage(refused: &clap::Error) -> Self {
        Self::Usage { message: misunderstood(refused) }
    }

    /// Whether what is in memory may be ahead of the vault now.
    pub fn ends_session(&self) -> bool {
        matches!(self, Self::Memory | Self::VaultDamaged | Self::VaultFailed { .. } | Self::VaultFull)
    }

    /// A file that was to be sent refused.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::FileUnreadable { path: path.display().to_string(), kind: error.kind() }
    }

    /// The home, or a file in it, refused.
    pub fn home(path: &Path, error: &io::Error) -> Self {
        Self::HomeDenied { path: path.display().to_string(), kind: error.kind() }
    }
}

/// Why clap refuses words, in its own words where it quotes none of theirs.
fn misunderstood(refused: &clap::Error) -> String {
    match refused.kind() {
        clap::error::ErrorKind::InvalidSubcommand => "There is no such command.".to_owned(),
        clap::error::ErrorKind::InvalidValue | clap::error::ErrorKind::ValueValidation => {
            format!("{} does not take this value.", argument(refused).unwrap_or_default())
        }
        clap::error::ErrorKind::UnknownArgument => match argument(refused).filter(|name| is_option(name)) {
            Some(option) => format!("There is no option {option} here."),
            None => "There are too many words; a text of several words stands in quotation marks.".to_owned(),
        },
        _ => {
            let text = refused.to_string();
            let reason = text.split("\n\n").next().unwrap_or_default();
            format!("{}.", reason.trim_start_matches("error: ").trim_end())
        }
    }
}

fn argument(refused: &clap::Error) -> Option<String> {
    match refused.get(clap::error::ContextKind::InvalidArg)? {
        clap::error::ContextValue::String(name) => Some(name.clone()),
        _ => None,
    }
}

fn is_option(word: &str) -> bool {
    let letters = word.strip_prefix("--").unwrap_or_default();
    !letters.is_empty() && letters.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
}

/// What the operating system refused, in words.
fn reason(kind: ErrorKind, texts: &Texts) -> String {
    match kind {
        ErrorKind::BrokenPipe => texts.say("reason-gone"),
        ErrorKind::FileTooLarge => texts.say("reason-large"),
        ErrorKind::IsADirectory => texts.say("reason-folder"),
        ErrorKind::NotFound => texts.say("reason-missing"),
        ErrorKind::PermissionDenied => texts.say("reason-denied"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => texts.say("reason-taken"),
        ErrorKind::Unsupported => texts.say("reason-no-file"),
        ErrorKind::QuotaExceeded | ErrorKind::StorageFull => texts.say("reason-full"),
        ErrorKind::ReadOnlyFilesystem => texts.say("reason-read-only"),
        _ => kind.to_string(),
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Damaged { .. } | CommitError::ReadOnly => Self::VaultDamaged,
            CommitError::Full { .. } => Self::VaultFull,
            CommitError::Disk(error) => error.into(),
            CommitError::Memory => Self::Memory,
            _ => Self::VaultFailed { kind: ErrorKind::Other },
        }
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        Self::VaultFailed { kind: error.kind }
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Memory => Self::Memory,
            FormatError::Disk(error) => error.into(),
            _ => Self::VaultFailed { kind: ErrorKind::Other },
        }
    }
}

impl From<HeaderError> for Failure {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Bounds | HeaderError::Magic => Self::VaultUnknown,
            HeaderError::Check | HeaderError::Length { .. } => Self::VaultDamaged,
            HeaderError::Disk(error) => error.into(),
            HeaderError::Version { .. } => Self::VaultNewer,
        }
    }
}

impl From<StoredError> for Failure {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Damaged => Self::VaultDamaged,
            StoredError::Version { .. } => Self::VaultNewer,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged { .. } => Self::VaultDamaged,
            OpenError::Disk(error) => error.into(),
            OpenError::Header(error) => error.into(),
            OpenError::Memory => Self::Memory,
            OpenError::Refused => Self::PassphraseWrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn a_code_stays_as_it_is_in_every_language() {
        let failure = Failure::HomeInUse { path: "/home/x".into() };
        for language in Language::ALL {
            let json = failure.json(&Texts::new(language));
            assert_eq!(json["error"]["code"], "home_in_use");
            assert!(json["error"]["message"].as_str().unwrap().contains("/home/x"));
        }
    }

    #[test]
    fn the_documentation_names_every_code() {
        let documentation = include_str!("../../../docs/cli.md");
        for code in CODES {
            assert!(documentation.contains(&format!("`{code}`")), "{code}");
        }
    }

    #[test]
    fn only_misunderstood_words_are_usage() {
        assert_eq!(Failure::Usage { message: String::new() }.exit_code(), 2);
        assert_eq!(Failure::PassphraseWrong.exit_code(), 1);
    }
}
