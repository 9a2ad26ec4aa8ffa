//! Channels that go on from request to request and from connection to connection: over POST, and later Forward
//! (docs/spec/channel.md §4).
//!
//! Such a channel strictly alternates: one request, one answer. A client whose answer was lost repeats the same bytes;
//! the relay takes exactly the next counter, or the last request once more, to which it repeats its last answer.
//!
//! Invariants: a request is carried out once however often it arrives; nobody but the channel's client can move it or
//! end it; channels, the bytes of remembered answers and the idle time are bounded. An evicted channel costs its client
//! one encapsulation and a repeated operation, nothing else.

mod client;
mod table;

pub use client::{ContinuedClient, RequestError};
pub use table::{ContinuedChannels, ContinuedLimits, Turn};

#[cfg(test)]
mod tests;
