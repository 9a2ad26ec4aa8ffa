//! A connection without a channel, for tests that send a relay what no client would (feature `raw`).

use std::io;
use std::net::SocketAddr;

use quinn::{Connection, Endpoint};

use crate::quic;

/// Connects as a client would, and leaves the streams to the caller. The endpoint must outlive the connection.
pub async fn connect(at: SocketAddr) -> io::Result<(Endpoint, Connection)> {
    let endpoint = quic::client_endpoint(at)?;
    let connecting = endpoint.connect(at, &at.ip().to_string()).map_err(io::Error::other)?;
    let connection = connecting.await?;
    Ok((endpoint, connection))
}
