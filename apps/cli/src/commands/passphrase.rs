//! The passphrases of a vault: `passphrase change`, `passphrase duress` (docs/cli.md §3.3, docs/spec/vault.md §7).

use poterne_client_core::vault::{AddSlotError, OnOpening};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Answer;
use crate::session::Session;
use crate::texts::Texts;

/// What became of a passphrase.
pub enum Changed {
    /// It opens an empty home, and may overwrite all else when it does so first.
    Added { burns: bool },
    /// It opens this home in place of the one before.
    Replaced,
}

/// Replaces the passphrase of the open home.
pub fn change(session: &mut Session, new: &[u8]) -> Result<Changed, Failure> {
    session.write_vault(|vault, rng| vault.change_passphrase(new, rng).map_err(Failure::from))?;
    Ok(Changed::Replaced)
}

/// Adds a home for another passphrase.
pub fn duress(session: &mut Session, new: &[u8], burns: bool) -> Result<Changed, Failure> {
    let on_opening = if burns { OnOpening::EraseOthers } else { OnOpening::Nothing };
    session.write_vault(|vault, rng| vault.add_slot(new, on_opening, rng).map_err(Failure::from))?;
    Ok(Changed::Added { burns })
}

impl Answer for Changed {
    fn json(&self) -> Value {
        match self {
            Self::Added { burns } => json!({"state": "added", "burns": burns}),
            Self::Replaced => json!({"state": "changed"}),
        }
    }

    fn people(&self, texts: &Texts) -> String {
        let told = match self {
            Self::Added { burns: true } => texts.say("passphrase-burns"),
            Self::Added { burns: false } => texts.say("passphrase-added"),
            Self::Replaced => texts.say("passphrase-changed"),
        };
        format!("{told}\n")
    }
}

impl From<AddSlotError> for Failure {
    fn from(error: AddSlotError) -> Self {
        match error {
            AddSlotError::Commit(error) => error.into(),
            AddSlotError::Disk(error) => error.into(),
            AddSlotError::Memory => Self::Memory,
            AddSlotError::NoOther => Self::VaultFull,
            AddSlotError::SamePassphrase => Self::PassphraseSame,
        }
    }
}
