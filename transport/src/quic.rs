//! QUIC endpoints with our windows, timeouts and buffers (docs/spec/transport.md §2, RFC 9000).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::{
    AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::bounds::{
    CLIENT_IDLE, CONNECTION_WINDOW_BYTES, INCOMING_BYTES, KEEP_ALIVE, RELAY_SEND_WINDOW_BYTES,
    RELAY_WINDOW_BYTES, SEND_WINDOW_BYTES, STREAM_WINDOW_BYTES, UDP_BUFFER_BYTES,
};
use crate::reset::{self, ResetKey};
use crate::sparing::SparingRuntime;
use crate::tls;

/// A socket for dialling addresses of the family of `towards`.
pub(crate) fn client_endpoint(towards: SocketAddr) -> io::Result<Endpoint> {
    let socket = socket(any_of_family(towards))?.into();
    let mut endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))?;
    let mut config = ClientConfig::new(Arc::new(tls::client_config()));
    config.transport_config(Arc::new(client_transport()));
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// A socket that listens at `address`.
pub(crate) fn server_endpoint(
    address: SocketAddr,
    transport: TransportConfig,
    reset_key: ResetKey,
) -> io::Result<Endpoint> {
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server_config()));
    config.transport_config(Arc::new(transport)).incoming_buffer_size_total(INCOMING_BYTES);
    let socket = socket(address)?.into();
    Endpoint::new(reset::endpoint_config(reset_key), Some(config), socket, Arc::new(SparingRuntime))
}

/// Ready only where the other machine says that nobody listens there: QUIC itself would go on until its timeout. One
/// empty datagram, which a relay drops.
pub(crate) async fn is_refused(address: SocketAddr) {
    if probe(address).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return;
    }
    std::future::pending().await
}

async fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(any_of_family(address)).await?;
    socket.connect(address).await?;
    socket.send(&[]).await?;
    socket.recv(&mut [0]).await.map(drop)
}

fn any_of_family(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The system caps what it does not allow; a smaller buffer costs speed only.
    socket.set_recv_buffer_size(UDP_BUFFER_BYTES).ok();
    socket.set_send_buffer_size(UDP_BUFFER_BYTES).ok();
    if address.is_ipv6() {
        // All addresses are those of IPv4 too, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn client_transport() -> TransportConfig {
    let mut transport = transport(CLIENT_IDLE);
    transport.keep_alive_interval(Some(KEEP_ALIVE)).max_concurrent_bidi_streams(VarInt::from_u32(0));
    transport
}

/// What a relay allows each connection.
pub(crate) fn server_transport(idle: Duration, streams: u16) -> TransportConfig {
    let mut transport = transport(idle);
    transport
        .max_concurrent_bidi_streams(VarInt::from(streams))
        .stream_receive_window(VarInt::from_u32(RELAY_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(RELAY_WINDOW_BYTES))
        .send_window(RELAY_SEND_WINDOW_BYTES);
    transport
}

fn transport(idle: Duration) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::try_from(idle).expect("idle timeouts are minutes")))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .ack_frequency_config(Some(AckFrequencyConfig::default()));
    transport
}
