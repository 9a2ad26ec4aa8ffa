//! Every key derivation label and signature context of the client, in one place, so that two uses can be compared at a
//! glance (docs/spec/handshake.md, ratchet.md, notice.md).
//!
//! Invariant: no label serves two purposes. [`poterne_protocol::kdf`] puts "poterne/1 " in front of each KDF label;
//! contexts of hashes, signatures and HPKE carry it themselves.

// Notices and desks.
pub(crate) const NOTICE: &str = "notice";
pub(crate) const NOTICE_READ: &str = "notice read";
pub(crate) const NOTICE_SIGNATURE: &[u8] = b"poterne/1 notice head";
pub(crate) const ROOT_SET_SIGNATURE: &[u8] = b"poterne/1 root set";
pub(crate) const COORDINATOR_SIGNATURE: &[u8] = b"poterne/1 coordinator";
pub(crate) const DEVICE_SIGNATURE: &[u8] = b"poterne/1 device";
pub(crate) const LOG_SIGNATURE: &[u8] = b"poterne/1 log";
pub(crate) const LOG_OPENED_SIGNATURE: &[u8] = b"poterne/1 log opened";

// What an epoch's seed gives.
pub(crate) const INTAKE_KEY: &str = "intake key";
pub(crate) const INTAKE_READ: &str = "intake read";
pub(crate) const INTAKE_WRITE: &str = "intake write";
pub(crate) const LOG_READ: &str = "log read";
pub(crate) const LOG: &str = "log";
pub(crate) const DEVICE_CONTACT: &str = "device";

// First contact.
pub(crate) const TH0: &[u8] = b"poterne/1 TH0";
pub(crate) const EXPORT_HANDSHAKE: &[u8] = b"poterne/1 hs";
pub(crate) const EXPORT_FOLLOW_UPS: &[u8] = b"poterne/1 ck_pre";
pub(crate) const EXPORT_COMMIT: &[u8] = b"poterne/1 commit";
pub(crate) const ANSWER_BOX: &str = "answer box";
pub(crate) const FOLLOW_UPS: &str = "follow-ups";
pub(crate) const FOLLOW_UP: &str = "follow-up";
pub(crate) const CLAIMED: &str = "claimed";
pub(crate) const CONTACT: &str = "contact";
pub(crate) const ANSWER_HEADER: &str = "A1 header";
pub(crate) const ANSWER: &str = "A1";
pub(crate) const LIFELINE: &str = "lifeline";
pub(crate) const LIFELINE_HEADER: &str = "lifeline header";
pub(crate) const LIFELINE_PAYLOAD: &str = "lifeline payload";

// The ratchet.
pub(crate) const CHAIN: &str = "chain";
pub(crate) const MESSAGE: &str = "message";
pub(crate) const ROOT: &str = "root";
pub(crate) const CHAIN_MAILBOX: &str = "chain mailbox";
pub(crate) const HEADER_AAD: &[u8] = b"hdr";

// Attachments.
pub(crate) const CHUNK: &str = "chunk";
pub(crate) const CHUNK_NONCE: &str = "chunk nonce";
pub(crate) const FILE_ID: &str = "file id";
pub(crate) const RUN: &str = "run";
