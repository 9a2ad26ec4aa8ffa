//! Every bound that both sides rely on, each with its unit and its reason (docs/spec/wire.md §9).

/// Bytes of an envelope; there is no other size.
pub const ENVELOPE_BYTES: usize = 4096;
/// Envelopes that wait in a plain mailbox at most.
pub const PLAIN_QUOTA_ENVELOPES: u32 = 64;
/// Envelopes in a log at most; nothing is deleted from a log.
pub const LOG_QUOTA_ENVELOPES: u32 = 1024;
/// Bytes that an intake takes a day unless its opener says otherwise: 1 GiB.
pub const INTAKE_DAY_QUOTA_BYTES: u64 = 1 << 30;
/// Days of the longest class that an intake takes; its quota is by the day, and its key is erased soon after.
pub const INTAKE_CLASS_MAX_DAYS: u8 = 4;
/// The times to live that an envelope may have, in days (its class).
pub const CLASSES_DAYS: [u8; 4] = [1, 4, 14, 30];
/// Days for which a relay remembers the id of an envelope that is gone, so that a repeated put stays harmless.
pub const TOMBSTONE_DAYS: u32 = 7;
/// Days for which claim ids and spent codes are kept at least, longer than a request key lives.
pub const CLAIM_MEMORY_DAYS: u32 = 4;
/// Mailboxes in one fetch at most.
pub const FETCH_MAILBOXES: usize = 64;
/// Envelopes in one answer at most, over all mailboxes of a fetch: 256 KiB.
pub const FETCH_ENVELOPES: u16 = 64;
/// Seconds that a fetch may wait for news at most.
pub const FETCH_WAIT_SECS: u16 = 60;
/// Envelope ids in one delete or status at most.
pub const IDS_PER_REQUEST: usize = 64;
/// Seconds of the shortest lease.
pub const LEASE_MIN_SECS: u32 = 60;
/// Seconds of a lease when none are named.
pub const LEASE_DEFAULT_SECS: u32 = 900;
/// Seconds that a lease may last, counted from its claim.
pub const LEASE_MAX_SECS: u32 = 3600;
/// Lease numbers above this are refused by clients: nobody claims one request so often.
pub const LEASE_NUMBER_MAX: u32 = 65_535;
/// Bytes of a payment's value at most.
pub const PAYMENT_BYTES: usize = 512;
/// Days for which a paid plain mailbox stays paid.
pub const PAID_DAYS: u32 = 30;
/// Days that an intake or a log may be opened ahead at most.
pub const OPEN_AHEAD_DAYS: u32 = 40;
/// Bytes of the body of an outer frame at most: one answer full of envelopes, its layout, and a tag.
pub const OUTER_FRAME_BYTES: usize = 300 * 1024;
/// Bytes of the body of the first frames that a stranger may send before a channel stands. A put with its payment and
/// the encapsulation in front of it needs less than 6 KiB.
pub const FIRST_FRAME_BYTES: usize = 8 * 1024;
/// Bytes of the body of a frame to a relay when a channel stands. The longest request, a fetch from 64 mailboxes, needs
/// less than 8 KiB; the rest is room for a forwarded first frame.
pub const REQUEST_FRAME_BYTES: usize = 16 * 1024;
/// Bytes of a descriptor at most, so that a stranger's answer stays below [`FIRST_FRAME_BYTES`].
pub const DESCRIPTOR_BYTES: usize = 4096;
/// Addresses in a descriptor at most.
pub const DESCRIPTOR_ADDRESSES: usize = 8;
/// Bytes of an operator's name at most, in UTF-8.
pub const OPERATOR_NAME_BYTES: usize = 64;
/// Requests of one channel that are under way at once at most; a client waits with the next, a relay stops reading.
pub const REQUESTS_UNDER_WAY: usize = 256;
/// Frames of one direction of a channel at most: far below what ChaCha20-Poly1305 bears under one key, and more than
/// any channel lives to send.
pub const CHANNEL_FRAMES: u64 = 1 << 32;
/// Bytes of `host:port` in a relay address at most.
pub const HOST_PORT_BYTES: usize = 255;
/// Seconds after which a channel that is continued over POST ends when it is idle.
pub const CONTINUED_IDLE_SECS: u64 = 3600;
/// Channels continued over POST that a relay holds at once, some 500 bytes each beside their last answer.
pub const CONTINUED_CHANNELS: usize = 16_384;
/// Bytes of last answers that a relay holds for such channels, to repeat them: 64 MiB.
pub const CONTINUED_ANSWER_BYTES: usize = 64 << 20;
/// Letters of a card's link at most, so that its QR code stays readable on a leaflet.
pub const CARD_LETTERS: usize = 400;
/// Relays on a card at most.
pub const CARD_RELAYS: usize = 4;
/// Further addresses on a card at most.
pub const CARD_MORE_ADDRESSES: usize = 4;
/// Bytes of a ticket on a card at most.
pub const TICKET_BYTES: usize = 32;
