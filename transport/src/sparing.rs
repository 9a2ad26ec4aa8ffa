//! The runtime and socket of a relay, whose idle connections hold little (docs/spec/transport.md §2).
//!
//! As soon as a connection sends two datagrams together, quinn makes room for as many as the socket takes in one call,
//! and keeps it while the connection lives: 14 KiB, and every handshake does so. Here the socket takes one at a time from
//! a connection until that has sent much within a moment; from then on as many as the system allows.
//!
//! The socket does not know whose datagrams it is handed, so whatever drives a connection says so to its thread while it
//! runs.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};

/// Datagrams within [`MOMENT`] that make a connection one that sends much: an answer of eight envelopes. A handshake has
/// five.
const MUCH: u32 = 32;
/// The time in which they are counted.
const MOMENT: Duration = Duration::from_secs(1);

thread_local! {
    /// Datagrams that the connection that is driven on this thread has sent in this turn; `None` where it may send many
    /// together.
    static SENT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Tokio, with connections that are sparing at first.
#[derive(Debug)]
pub(crate) struct SparingRuntime;

impl Runtime for SparingRuntime {
    fn new_timer(&self, time: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(time)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(Driver { future, sparing: Some(Moment { began: TokioRuntime.now(), sent: 0 }) });
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(SparingSocket(TokioRuntime.wrap_udp_socket(socket)?)))
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

/// What was sent since a moment began.
#[derive(Clone, Copy)]
struct Moment {
    began: Instant,
    sent: u32,
}

impl Moment {
    /// Counts what was sent; says whether that is much.
    fn add(&mut self, sent: u32, now: Instant) -> bool {
        if now.saturating_duration_since(self.began) > MOMENT {
            *self = Self { began: now, sent: 0 };
        }
        self.sent = self.sent.saturating_add(sent);
        self.sent >= MUCH
    }
}

/// Drives a connection. `sparing` is gone once it has sent much.
struct Driver {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    sparing: Option<Moment>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut moment) = self.sparing else { return self.future.as_mut().poll(context) };
        let turn = Turn::begin();
        let polled = self.future.as_mut().poll(context);
        let sent = turn.sent();
        if sent > 0 {
            self.sparing = (!moment.add(sent, TokioRuntime.now())).then_some(moment);
        }
        polled
    }
}

/// One turn of a connection that is sparing; over when dropped.
struct Turn;

impl Turn {
    fn begin() -> Self {
        SENT.set(Some(0));
        Self
    }

    fn sent(&self) -> u32 {
        SENT.get().unwrap_or(0)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        SENT.set(None);
    }
}

/// A socket that takes one datagram at a time from who is sparing.
struct SparingSocket(Arc<dyn AsyncUdpSocket>);

impl fmt::Debug for SparingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsyncUdpSocket for SparingSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.0.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)?;
        SENT.set(SENT.get().map(|sent| sent.saturating_add(1)));
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_recv(context, buffers, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        let most = self.0.max_transmit_segments();
        if SENT.get().is_some() { most.min(1) } else { most }
    }

    fn max_receive_segments(&self) -> usize {
        self.0.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_within_a_moment_is_much_and_over_hours_is_not() {
        let began = Instant::now();
        let mut slow = Moment { began, sent: 0 };
        assert!((0..1000).all(|second| !slow.add(20, began + Duration::from_millis(second * 1100))));
        let mut fast = Moment { began, sent: 0 };
        assert!(!fast.add(MUCH - 1, began));
        assert!(fast.add(1, began + MOMENT));
    }

    #[tokio::test]
    async fn a_connection_may_send_many_together_once_it_has_sent_much() {
        let socket = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (own, other) = (SparingRuntime.wrap_udp_socket(socket()).unwrap(), socket());
        let (most, to) = (own.max_transmit_segments(), other.local_addr().unwrap());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        SparingRuntime.spawn(Box::pin(async move {
            for _ in 0..=MUCH {
                tell.send(own.max_transmit_segments()).unwrap();
                let (destination, contents) = (to, &[0; 1][..]);
                let transmit =
                    Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
                while own.try_send(&transmit).is_err() {
                    tokio::task::yield_now().await;
                }
                tokio::task::yield_now().await;
            }
        }));
        let mut all = Vec::new();
        while let Some(segments) = told.recv().await {
            all.push(segments);
        }
        assert_eq!(all[..MUCH as usize], [1; MUCH as usize]);
        assert_eq!(all[MUCH as usize], most);
    }
}
