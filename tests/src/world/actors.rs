//! Simple clients, who use a relay as the real ones do and know nothing of cryptography.

mod claimer;
mod reader;
mod steward;
mod writer;

pub use claimer::Claimer;
pub use reader::Reader;
pub use steward::Steward;
pub use writer::Writer;
