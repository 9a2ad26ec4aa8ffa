//! Whether a newer copy of this state lives: what a client asks its own sending mailboxes before the first send after it
//! has opened a vault (docs/spec/ratchet.md §6). Follow-ups: `FollowUpWriter::judge_own`.

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::MailboxSecret;

use super::header::HEADER_BYTES;
use super::message::{self, HeaderSeal};
use super::{RESUME_STEP, Session, chain_mailbox, mailbox_of};
use crate::seal::TwoParts;

/// What an envelope in an own sending mailbox is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Own {
    /// A newer copy of this state has sent it: full stop, and a new contact with the reveal offered.
    Newer,
    /// It is not of this conversation; anybody who writes there is the relay or the peer.
    NotOurs,
    /// This state has sent it.
    Sent,
}

impl Session {
    /// The mailboxes that this end writes to next. The volunteer's chain 0 has none that it could read.
    pub fn own_mailboxes(&self) -> Vec<MailboxSecret> {
        let current = self.sending.iter().filter_map(|sending| {
            let (_, mailbox) = sending.keys.as_ref()?;
            let places = mailbox_of(sending.next)..=mailbox_of(sending.next + RESUME_STEP);
            Some(places.map(|place| chain_mailbox(mailbox, place)))
        });
        let ahead = self.ahead.peer_key.is_some().then(|| chain_mailbox(&self.ahead.mailbox, 0));
        current.flatten().chain(ahead).collect()
    }

    /// Judges an envelope out of one of [`Self::own_mailboxes`].
    pub fn judge_own(&self, envelope: &SealedEnvelope) -> Own {
        let parts = TwoParts::of(envelope, HEADER_BYTES);
        let aad = message::header_aad(&self.id);
        let opens = |key| message::open_header(&HeaderSeal { key, aad: &aad }, &parts).is_ok();
        if self.ahead.peer_key.is_some() && opens(&self.ahead.header) {
            return Own::Newer;
        }
        let Some(sending) = &self.sending else { return Own::NotOurs };
        match &sending.keys {
            Some((key, _)) if opens(key) => {
                let mark = message::mark(parts.nonce, parts.header);
                if sending.sent.values().any(|sent| *sent == mark) { Own::Sent } else { Own::Newer }
            }
            _ => Own::NotOurs,
        }
    }
}
