//! What an operator may set, and the bounds of what one mailbox may make the relay remember (docs/spec/relay.md §9).

use poterne_protocol::limits::{
    FETCH_ENVELOPES, FETCH_WAIT_SECS, INTAKE_DAY_QUOTA_BYTES, LOG_QUOTA_ENVELOPES, PLAIN_QUOTA_ENVELOPES,
};

/// The numbers that decisions are made with. The default is a fresh relay's: open, without prices and permits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Effort that an unpaid plain mailbox costs; 0 turns prices off.
    pub base_effort: u32,
    /// Envelopes in one answer at most, over all mailboxes of a fetch.
    pub fetch_envelopes: u16,
    /// Seconds that a fetch may wait at most.
    pub fetch_wait_secs: u16,
    /// Claims that an intake remembers at most, with those that have ended; bounds its memory to about
    /// 4 MiB and the search for what nobody has leased.
    pub intake_claims: usize,
    /// Bytes a day of an intake whose opener names no quota.
    pub intake_day_bytes: u64,
    /// Bytes a day that an opener may ask for at most.
    pub intake_day_bytes_max: u64,
    /// Envelopes of a log at most, and where its opener names no quota.
    pub log_envelopes: u32,
    /// Whether opening needs a permit of the operator's.
    pub permits: bool,
    /// Envelopes that wait in a plain mailbox at most.
    pub plain_envelopes: u32,
    /// Ids that a plain mailbox remembers at most, waiting and gone: 16 times its quota, so that only a flood meets it.
    pub plain_ids: usize,
    /// Seconds after which one who was refused for the sake of memory may ask again.
    pub retry_after_secs: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            base_effort: 0,
            fetch_envelopes: FETCH_ENVELOPES,
            fetch_wait_secs: FETCH_WAIT_SECS,
            intake_claims: 32_768,
            intake_day_bytes: INTAKE_DAY_QUOTA_BYTES,
            intake_day_bytes_max: INTAKE_DAY_QUOTA_BYTES,
            log_envelopes: LOG_QUOTA_ENVELOPES,
            permits: false,
            plain_envelopes: PLAIN_QUOTA_ENVELOPES,
            plain_ids: 1024,
            retry_after_secs: 60,
        }
    }
}
