//! One connection: its handshake under a deadline, then one task for each stream.

use std::sync::Arc;

use quinn::{Connection, Incoming, VarInt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::admission::Place;
use super::channel::Accounts;
use super::{Event, Service, Shared, channel, has_begun};
use crate::bounds::{CHANNEL_TIMEOUT, HANDSHAKE_TIMEOUT, STREAMS_WITHOUT_CHANNEL};

/// The code with which a connection is closed that opens no channel.
const UNUSED: VarInt = VarInt::from_u32(2);

/// Serves a connection to its end.
pub(super) async fn serve<S: Service>(shared: Arc<Shared<S>>, incoming: Incoming, mut place: Place) {
    let mut draining = shared.draining.clone();
    let shaken = tokio::select! {
        shaken = Box::pin(shake_hands(incoming)) => shaken,
        () = has_begun(&mut draining) => return,
    };
    let Some(connection) = shaken else {
        shared.service.note(Event::HandshakeFailed);
        return;
    };
    place.has_shaken_hands();
    shared.service.note(Event::ConnectionOpened);
    serve_streams(&shared, &connection, &place).await;
    shared.service.note(Event::ConnectionClosed);
}

async fn shake_hands(incoming: Incoming) -> Option<Connection> {
    let connecting = incoming.accept().ok()?;
    timeout(HANDSHAKE_TIMEOUT, connecting).await.ok()?.ok()
}

/// Gives the place of a client that opens no channel to others.
fn close_unused<S: Service>(shared: &Shared<S>, connection: &Connection) {
    shared.service.note(Event::ConnectionUnused);
    connection.close(UNUSED, b"");
}

/// Until the client or the path is gone, or until all channels have drained.
async fn serve_streams<S: Service>(shared: &Arc<Shared<S>>, connection: &Connection, place: &Place) {
    let mut draining = shared.draining.clone();
    let accounts = Accounts::open(shared.next_source(), &shared.answers, &shared.requests);
    let mut channels = JoinSet::new();
    let (mut without_channel, mut due) = (0, Instant::now() + CHANNEL_TIMEOUT);
    loop {
        tokio::select! {
            stream = connection.accept_bi() => match stream {
                Ok((send, receive)) => {
                    let (shared, accounts) = (shared.clone(), accounts.clone());
                    channels.spawn(channel::serve(shared, send, receive, place.network(), accounts));
                }
                Err(_) => return,
            },
            Some(stood) = channels.join_next() => {
                without_channel = if stood.unwrap_or(false) { 0 } else { without_channel + 1 };
                due = Instant::now() + CHANNEL_TIMEOUT;
            }
            () = sleep_until(due), if channels.is_empty() => return close_unused(shared, connection),
            () = has_begun(&mut draining) => break,
        }
        if without_channel >= STREAMS_WITHOUT_CHANNEL {
            return close_unused(shared, connection);
        }
    }
    while channels.join_next().await.is_some() {}
}
