//! Which mailboxes a reader fetches (docs/spec/ratchet.md §5).

use poterne_protocol::keys::MailboxSecret;

use super::{Role, Session, chain_mailbox};

impl Session {
    /// The mailboxes in which new messages may lie: the peer's next chain, its current one, and at most 4 older ones that
    /// are incomplete. Chain 0 lies in the answer box; see [`Self::reads_answer_box`].
    pub fn mailboxes_to_read(&self) -> Vec<MailboxSecret> {
        let next = self.ahead.peer_key.is_none().then(|| chain_mailbox(&self.ahead.mailbox, 0));
        let chains = self.receiving.values().rev().flat_map(|receiving| {
            let open = receiving.open_mailboxes();
            let mailbox = receiving.mailbox.as_ref();
            mailbox.into_iter().flat_map(move |mailbox| {
                open.clone().into_iter().map(move |place| chain_mailbox(mailbox, place))
            })
        });
        next.into_iter().chain(chains).collect()
    }

    /// The mailboxes of the peer's last 16 chains, fetched at each start and once a day: what [`Self::open`] calls a fork
    /// there is one. At most 64.
    pub fn mailboxes_to_watch(&self) -> Vec<MailboxSecret> {
        let chains = self.receiving.values().rev().filter_map(|receiving| {
            let mailbox = receiving.mailbox.as_ref()?;
            Some(receiving.watched_mailboxes().into_iter().map(|place| chain_mailbox(mailbox, place)))
        });
        chains.flatten().collect()
    }

    /// Whether messages of the peer may still come into the answer box: the volunteer has not turned yet.
    pub fn reads_answer_box(&self) -> bool {
        self.role == Role::Requester && self.receiving.keys().next_back() == Some(&0)
    }

    /// How many follow-ups the requester has sealed, once a message of hers has said it (the volunteer's end).
    pub fn follow_ups_told(&self) -> Option<u16> {
        (self.role == Role::Volunteer && self.is_bound())
            .then(|| u16::try_from(self.follow_ups).unwrap_or(u16::MAX))
    }
}
