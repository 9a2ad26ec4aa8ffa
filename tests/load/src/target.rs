//! What can be driven: something that keeps envelopes in mailboxes by number.

use std::future::Future;

use crate::payload::Payload;

/// Why an operation did not succeed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// It was not done, and the target said so: busy or full.
    Refused,
    /// Whether it was done is unknown.
    Unknown,
}

/// One connection to what is driven; operations run side by side.
pub trait Target: Send + Sync + 'static {
    /// By what an envelope that was found is deleted.
    type Handle: Send;

    /// Puts an envelope into a mailbox. Success says that it is on the disk.
    fn put(&self, mailbox: u32, payload: Payload) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Reads some of what waits in a mailbox, and more the next time only if this was deleted.
    fn fetch(&self, mailbox: u32) -> impl Future<Output = Result<Vec<Found<Self::Handle>>, Failure>> + Send;

    /// Deletes what was found in a mailbox.
    fn delete(
        &self,
        mailbox: u32,
        found: Vec<Self::Handle>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An envelope that was found.
pub struct Found<H> {
    /// By what it is deleted.
    pub handle: H,
    /// Its number; none where it is not what was put.
    pub number: Option<u64>,
}
