//! One connection: its handshake under a deadline, then one task for each stream.

use std::sync::Arc;

use quinn::{Connection, Incoming};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::admission::Place;
use super::{Event, Service, Shared, channel, has_begun};
use crate::bounds::HANDSHAKE_TIMEOUT;

/// Serves a connection to its end.
pub(super) async fn serve<S: Service>(shared: Arc<Shared<S>>, incoming: Incoming, mut place: Place) {
    let mut draining = shared.draining.clone();
    let shaken = tokio::select! {
        shaken = shake_hands(incoming) => shaken,
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

/// Until the client or the path is gone, or until all channels have drained.
async fn serve_streams<S: Service>(shared: &Arc<Shared<S>>, connection: &Connection, place: &Place) {
    let mut draining = shared.draining.clone();
    let mut channels = JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_bi() => match stream {
                Ok((send, receive)) => {
                    channels.spawn(channel::serve(shared.clone(), send, receive, place.network()));
                }
                Err(_) => return,
            },
            Some(_) = channels.join_next() => {}
            () = has_begun(&mut draining) => break,
        }
    }
    while channels.join_next().await.is_some() {}
}
