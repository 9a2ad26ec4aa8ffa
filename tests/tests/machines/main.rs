//! The machines of requesters and desks around one table: one behaviour a test (docs/spec/client.md).

mod hand;
mod people;

mod answers;
mod attachment_cuts;
mod attachments;
mod clock;
mod cover;
mod crash;
mod devices;
mod forget;
mod lifeline;
mod limits;
mod lost;
mod notices;
mod path;
mod relays;
mod rollback;
