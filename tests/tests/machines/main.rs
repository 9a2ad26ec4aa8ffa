//! The machines of requesters and desks around one table: one behaviour a test (docs/spec/client.md).

mod people;

mod devices;
mod path;
mod relays;
