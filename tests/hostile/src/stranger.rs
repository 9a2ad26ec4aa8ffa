//! A client that holds all the strings itself: it sends what it likes, and reads only when it wants to.

use std::io;
use std::net::SocketAddr;

use poterne_protocol::address::RelayAddress;
use poterne_protocol::channel::ClientChannel;
use poterne_protocol::descriptor::{NewestDescriptor, VerifiedDescriptor};
use poterne_protocol::frame::{FrameDecoder, OuterFrame};
use poterne_protocol::inner::{decode_answer, encode_request};
use poterne_protocol::op::{Answer, Request};
use poterne_transport::dial::dial;
use poterne_transport::raw;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rand_core::UnwrapErr;

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// A channel over a connection of its own.
pub struct Stranger {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    channel: ClientChannel,
    decoder: FrameDecoder,
    next: u32,
    kept: Vec<(SendStream, RecvStream)>,
}

/// Where that relay listens.
pub fn at(address: &RelayAddress) -> SocketAddr {
    address.at.to_string().parse().expect("a relay of a test listens on loopback")
}

/// The descriptor of that relay.
///
/// # Panics
/// When it can't be had.
pub async fn descriptor(address: &RelayAddress) -> VerifiedDescriptor {
    let mut newest = NewestDescriptor::default();
    dial(address, &mut newest, &mut UnwrapErr(getrandom::SysRng)).await.expect("the relay answers");
    newest.current().cloned().expect("a dial brings the descriptor")
}

impl Stranger {
    /// Opens a channel with Hello.
    pub async fn open(
        endpoint: &Endpoint,
        at: SocketAddr,
        descriptor: &VerifiedDescriptor,
    ) -> io::Result<Self> {
        Self::open_on(raw::connect_on(endpoint, at).await?, descriptor).await
    }

    /// Opens one more channel beside this one, in the same connection.
    pub async fn open_beside(&self, descriptor: &VerifiedDescriptor) -> io::Result<Self> {
        Self::open_on(self.connection.clone(), descriptor).await
    }

    async fn open_on(connection: Connection, descriptor: &VerifiedDescriptor) -> io::Result<Self> {
        let (send, receive) = connection.open_bi().await?;
        let channel = ClientChannel::open(descriptor, &mut UnwrapErr(getrandom::SysRng));
        let decoder = FrameDecoder::for_client();
        let mut stranger = Self { connection, send, receive, channel, decoder, next: 0, kept: Vec::new() };
        stranger.ask(&Request::Hello).await?;
        stranger.answer().await?;
        stranger.decoder.channel_stands();
        Ok(stranger)
    }

    /// Sends a request; gives its number.
    pub async fn ask(&mut self, request: &Request) -> io::Result<u32> {
        let number = self.next;
        let frame = self.sealed(request)?;
        self.send(&frame).await?;
        Ok(number)
    }

    /// The frame of a request that is not sent yet. What is sealed next must be sent behind it.
    pub fn sealed(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let frame = self.channel.seal(&encode_request(self.next, request)).map_err(io::Error::other)?;
        self.next += 1;
        Ok(frame.encode())
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        Ok(self.send.write_all(bytes).await?)
    }

    /// Holds a stream open that has nothing to do with the channel.
    pub fn keep(&mut self, send: SendStream, receive: RecvStream) {
        self.kept.push((send, receive));
    }

    /// The next answer.
    pub async fn answer(&mut self) -> io::Result<(u32, Answer)> {
        let frame = self.frame().await?;
        let opened = self.channel.open_answer(&frame).map_err(io::Error::other)?;
        decode_answer(&opened).map_err(|error| io::Error::other(format!("{error:?}")))
    }

    async fn frame(&mut self) -> io::Result<OuterFrame> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if let Some(frame) = self.decoder.next().map_err(io::Error::other)? {
                return Ok(frame);
            }
            match self.receive.read(&mut buffer).await.map_err(io::Error::other)? {
                Some(count) => self.decoder.push(&buffer[..count]),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Its connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}
