//! What both sides of a first contact know of it (docs/spec/handshake.md §3): the requester from when it is sealed, the
//! desk from when it is opened.
//!
//! Everything of a request that is the same on both sides is derived here, and so the same.

use poterne_protocol::keys::MailboxSecret;

use crate::answer_box;
use crate::labels;
use crate::notice::{NoticeHash, Version};
use crate::secret::Secret;

/// The secret of a request, and what names it.
#[derive(Clone)]
pub(crate) struct Handshake {
    /// hs.
    pub(crate) secret: Secret,
    /// TH0: what was agreed on before a byte was sent.
    pub(crate) th0: [u8; 32],
    /// H(M0): how both sides name the request, and how a replay is known.
    pub(crate) contact_hash: [u8; 32],
    /// The version of the notice under which it was sealed.
    pub(crate) echoed_version: Version,
    /// The hash of that notice: another one than the desk published is an alarm.
    pub(crate) echoed_hash: NoticeHash,
}

crate::secret::silent!(Handshake);

impl Handshake {
    /// Where follow-ups go: she writes, the desk reads and deletes.
    pub(crate) fn follow_up_mailbox(&self) -> MailboxSecret {
        answer_box::follow_up_mailbox(&self.secret)
    }

    /// L = KDF(–, hs, "lifeline").
    pub(crate) fn lifeline(&self) -> Secret {
        self.secret.derive(labels::LIFELINE, &[])
    }
}
