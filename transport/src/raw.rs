//! A connection without a channel, for tests that send a relay what no client would (feature `raw`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn::{
    AsyncUdpSocket, ClientConfig, Connection, Endpoint, EndpointConfig, TokioRuntime, TransportConfig,
};

use crate::{quic, tls};

/// Connects as a client would, and leaves the streams to the caller. The endpoint must outlive the connection.
pub async fn connect(at: SocketAddr) -> io::Result<(Endpoint, Connection)> {
    let endpoint = endpoint(at)?;
    let connection = connect_on(&endpoint, at).await?;
    Ok((endpoint, connection))
}

/// A socket from which many connections to relays of that address' family can be made.
pub fn endpoint(towards: SocketAddr) -> io::Result<Endpoint> {
    quic::client_endpoint(towards)
}

/// As [`connect`], from a socket that is there.
pub async fn connect_on(endpoint: &Endpoint, at: SocketAddr) -> io::Result<Connection> {
    let connecting = endpoint.connect(at, &at.ip().to_string()).map_err(io::Error::other)?;
    Ok(connecting.await?)
}

/// As [`endpoint`], over a socket and with windows and timeouts of the caller's own.
pub fn endpoint_over(socket: Arc<dyn AsyncUdpSocket>, transport: TransportConfig) -> io::Result<Endpoint> {
    let runtime = Arc::new(TokioRuntime);
    let mut endpoint = Endpoint::new_with_abstract_socket(EndpointConfig::default(), None, socket, runtime)?;
    let mut config = ClientConfig::new(Arc::new(tls::client_config()));
    config.transport_config(Arc::new(transport));
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}
