//! A socket that loses datagrams on purpose, so that the other side gets a stream with holes and never what fills them.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use poterne_transport::raw;
use quinn::congestion::CubicConfig;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Endpoint, Runtime as _, SendStream, TokioRuntime, TransportConfig, UdpPoller};

/// Bytes in flight that the sender takes for no congestion, so that nothing but the receiver's windows holds it back.
const IN_FLIGHT_BYTES: u64 = 64 << 20;
/// Packets, and round trips, after which it takes something for lost: never, so that it fills no hole.
const NEVER: u32 = 1 << 20;
/// Turns of the runtime until a datagram must have left.
const TURNS: usize = 1000;

/// A UDP socket with a hole in it.
pub struct LeakySocket {
    socket: Arc<dyn AsyncUdpSocket>,
    leaks: AtomicBool,
    sent: AtomicU64,
}

impl LeakySocket {
    /// An endpoint over such a socket, which loses nothing yet.
    pub fn endpoint() -> io::Result<(Arc<Self>, Endpoint)> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let socket = TokioRuntime.wrap_udp_socket(socket)?;
        let leaky = Arc::new(Self { socket, leaks: AtomicBool::new(false), sent: AtomicU64::new(0) });
        let mut cubic = CubicConfig::default();
        cubic.initial_window(IN_FLIGHT_BYTES);
        let mut transport = TransportConfig::default();
        transport
            .congestion_controller_factory(Arc::new(cubic))
            .packet_threshold(NEVER)
            .time_threshold(NEVER as f32)
            .enable_segmentation_offload(false)
            .mtu_discovery_config(None);
        let endpoint = raw::endpoint_over(leaky.clone(), transport)?;
        Ok((leaky, endpoint))
    }

    /// From now on nothing is lost.
    pub fn write_through(&self) {
        self.leaks.store(false, Ordering::Relaxed);
    }

    /// From now on everything that is sent is lost.
    pub fn lose_all(&self) {
        self.leaks.store(true, Ordering::Relaxed);
    }

    /// Writes that piece, alone in its datagram, which arrives or is lost.
    pub async fn write(&self, send: &mut SendStream, piece: &[u8], arrives: bool) -> io::Result<()> {
        self.leaks.store(!arrives, Ordering::Relaxed);
        let before = self.sent.load(Ordering::Relaxed);
        send.write_all(piece).await?;
        for _ in 0..TURNS {
            if self.sent.load(Ordering::Relaxed) > before {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl fmt::Debug for LeakySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeakySocket(..)")
    }
}

impl AsyncUdpSocket for LeakySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if !self.leaks.load(Ordering::Relaxed) {
            self.socket.try_send(transmit)?;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(context, buffers, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
