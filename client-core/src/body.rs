//! What messages say: a type and a body, in one or several parts (docs/spec/ratchet.md §7).
//!
//! The type stands in the header, the body in the payload. A body of a type that this build does not know is kept and
//! shown as "needs a newer version". Layouts of single types are in [`mod@kinds`]; cutting and joining in [`mod@parts`].

pub mod kinds;
pub mod parts;

use zeroize::Zeroizing;

pub use kinds::Body;
pub use parts::{Assembler, Whole, split};

/// Where a message stands in a body of several parts. The field `parts left` holds it: bits 0–14 how many parts follow,
/// bit 15 whether it continues the message before it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PartMark {
    /// It is not the first part.
    pub continues: bool,
    /// How many parts follow, below 32,768.
    pub left: u16,
}

impl PartMark {
    const CONTINUES: u16 = 0x8000;

    /// The only part of a body.
    pub const WHOLE: Self = Self { continues: false, left: 0 };

    pub(crate) fn to_wire(self) -> u16 {
        (self.left & !Self::CONTINUES) | if self.continues { Self::CONTINUES } else { 0 }
    }

    pub(crate) fn from_wire(value: u16) -> Self {
        Self { continues: value & Self::CONTINUES != 0, left: value & !Self::CONTINUES }
    }
}

/// One part of a body, ready to be sealed.
#[derive(Clone)]
pub struct Part {
    /// The type of the body.
    pub kind: u8,
    /// Where it stands.
    pub mark: PartMark,
    /// Its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

crate::secret::silent!(Part);
