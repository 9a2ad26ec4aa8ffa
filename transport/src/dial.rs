//! The dialling side (docs/spec/transport.md §5): from a relay's address to a channel that stands.
//!
//! A dial asks for the descriptor where none is known, believes it by the pin alone, and begins the channel with Hello. A
//! fault makes it ask for the descriptor and encapsulate anew, once.

use std::net::SocketAddr;
use std::time::Duration;

use poterne_protocol::address::{Host, HostPort, RelayAddress};
use poterne_protocol::channel::{ChannelError, ClientChannel};
use poterne_protocol::descriptor::{
    Descriptor, DescriptorError, NewestDescriptor, Older, VerifiedDescriptor,
};
use poterne_protocol::frame::{Fault, FrameDecoder, OuterFrame};
use poterne_protocol::inner::{decode_answer, encode_request};
use poterne_protocol::op::{Answer, HelloAnswer, Request};
use quinn::{Connection, Endpoint, SendStream};
use rand_core::CryptoRng;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::bounds::CONNECT_TIMEOUT;
use crate::client::RelayClient;
use crate::frames::{FrameReader, StreamError, write_frame};
use crate::quic;

/// Why there is no channel. Each says what the caller can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DialError {
    /// The relay has too many new channels: try again in some seconds.
    #[error("the relay is busy")]
    Busy,
    /// It answers, but not as a relay does: this address leads elsewhere, or somebody interferes. Try another relay.
    #[error("what answers does not speak as a relay")]
    NotARelay,
    /// Its descriptor is older than one that was seen before: perhaps a stolen key. Use another relay.
    #[error("the relay shows an older descriptor than before")]
    OlderDescriptor(Older),
    /// No answer in time: the network or the relay is slow or cut. Try again later.
    #[error("the relay does not answer in time")]
    Timeout,
    /// The name can't be resolved, or nothing listens there. Check the address and the network.
    #[error("the relay can't be reached")]
    Unreachable,
    /// The relay speaks a version that this program does not: a newer program may.
    #[error("the relay speaks an unknown version")]
    Version,
    /// Another relay, or nobody's: its identity key is not the one in the address. Don't use it.
    #[error("the relay's key is not the one in its address")]
    WrongPin,
}

impl From<StreamError> for DialError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Frame(_) => Self::NotARelay,
            StreamError::Ended | StreamError::Lost => Self::Unreachable,
            StreamError::Slow => Self::Timeout,
        }
    }
}

impl From<DescriptorError> for DialError {
    fn from(error: DescriptorError) -> Self {
        match error {
            DescriptorError::BadSignature | DescriptorError::WrongPin => Self::WrongPin,
            DescriptorError::Malformed(_) => Self::NotARelay,
            DescriptorError::Version { .. } => Self::Version,
        }
    }
}

/// Dials a relay and opens a channel to it. `newest` is what is known of this relay's descriptors; it is brought up to
/// date. Needs a tokio runtime.
pub async fn dial(
    address: &RelayAddress,
    newest: &mut NewestDescriptor,
    rng: &mut impl CryptoRng,
) -> Result<RelayClient, DialError> {
    let dialled = timeout(CONNECT_TIMEOUT, dial_patiently(address, newest, rng));
    dialled.await.unwrap_or(Err(DialError::Timeout))
}

async fn dial_patiently(
    address: &RelayAddress,
    newest: &mut NewestDescriptor,
    rng: &mut impl CryptoRng,
) -> Result<RelayClient, DialError> {
    let (endpoint, connection) = connect(&address.at).await?;
    let (send, receive) = connection.open_bi().await.map_err(|_| DialError::Unreachable)?;
    let reader = FrameReader::new(receive, FrameDecoder::for_client());
    let mut stream = Opening { address, send, reader };
    let (channel, hello) = stream.open(newest, rng).await?;
    Ok(RelayClient::start(endpoint, connection, stream.send, stream.reader, channel, hello))
}

/// Tries the addresses of a name one after another; the error is the last one's.
async fn connect(at: &HostPort) -> Result<(Endpoint, Connection), DialError> {
    let addresses = resolve(at).await?;
    // One dead address family must not use up the time of the other.
    let share = CONNECT_TIMEOUT / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut outcome = Err(DialError::Unreachable);
    for address in addresses {
        outcome = connect_to(address, &server_name(at), share).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn resolve(at: &HostPort) -> Result<Vec<SocketAddr>, DialError> {
    match at.host() {
        Host::Ipv4(address) => Ok(vec![(*address, at.port()).into()]),
        Host::Ipv6(address) => Ok(vec![(*address, at.port()).into()]),
        Host::Name(name) => lookup_host((name.as_str(), at.port()))
            .await
            .map(|found| found.take(ADDRESSES_TRIED).collect())
            .map_err(|_| DialError::Unreachable),
    }
}

/// Addresses of one name that are tried at most, so that a long list doesn't eat the whole time.
const ADDRESSES_TRIED: usize = 4;

fn server_name(at: &HostPort) -> String {
    match at.host() {
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
        Host::Name(name) => name.as_str().to_owned(),
    }
}

async fn connect_to(
    address: SocketAddr,
    name: &str,
    patience: Duration,
) -> Result<(Endpoint, Connection), DialError> {
    let endpoint = quic::client_endpoint(address).map_err(|_| DialError::Unreachable)?;
    let connecting = endpoint.connect(address, name).map_err(|_| DialError::Unreachable)?;
    let connected = tokio::select! {
        connected = timeout(patience, connecting) => connected,
        () = quic::is_refused(address) => return Err(DialError::Unreachable),
    };
    match connected {
        Ok(Ok(connection)) => Ok((endpoint, connection)),
        Ok(Err(quinn::ConnectionError::TimedOut)) | Err(_) => Err(DialError::Timeout),
        Ok(Err(quinn::ConnectionError::VersionMismatch)) => Err(DialError::Version),
        Ok(Err(_)) => Err(DialError::Unreachable),
    }
}

/// A stream on which no channel stands yet.
struct Opening<'a> {
    address: &'a RelayAddress,
    send: SendStream,
    reader: FrameReader,
}

impl Opening<'_> {
    async fn open(
        &mut self,
        newest: &mut NewestDescriptor,
        rng: &mut impl CryptoRng,
    ) -> Result<(ClientChannel, HelloAnswer), DialError> {
        if let Some(known) = newest.current().cloned() {
            match self.begin(&known, rng).await? {
                Ok(opened) => return Ok(opened),
                Err(Fault::Busy) => return Err(DialError::Busy),
                // Our descriptor may be too old: asking for a new one is all that a fault can make us do.
                Err(_) => {}
            }
        }
        let fetched =
            newest.take(self.fetch_descriptor().await?).map_err(DialError::OlderDescriptor)?.clone();
        match self.begin(&fetched, rng).await? {
            Ok(opened) => Ok(opened),
            Err(Fault::Busy) => Err(DialError::Busy),
            Err(_) => Err(DialError::NotARelay),
        }
    }

    async fn fetch_descriptor(&mut self) -> Result<VerifiedDescriptor, DialError> {
        write_frame(&mut self.send, &OuterFrame::DescriptorWanted).await?;
        match self.reader.next_soon().await? {
            OuterFrame::Descriptor(bytes) => Ok(Descriptor::parse_verified(&bytes, &self.address.pin)?),
            OuterFrame::Fault(Fault::Busy) => Err(DialError::Busy),
            _ => Err(DialError::NotARelay),
        }
    }

    /// Encapsulates and says Hello; a fault is the relay's word, for which nobody vouches.
    async fn begin(
        &mut self,
        descriptor: &VerifiedDescriptor,
        rng: &mut impl CryptoRng,
    ) -> Result<Result<(ClientChannel, HelloAnswer), Fault>, DialError> {
        let mut channel = ClientChannel::open(descriptor, rng);
        let hello = channel.seal(&encode_request(HELLO_NUMBER, &Request::Hello)).map_err(not_a_relay)?;
        write_frame(&mut self.send, &hello).await?;
        let frame = self.reader.next_soon().await?;
        if let OuterFrame::Fault(fault) = frame {
            return Ok(Err(fault));
        }
        let inner = channel.open_answer(&frame).map_err(not_a_relay)?;
        match decode_answer(&inner) {
            Ok((HELLO_NUMBER, Answer::Hello(hello))) => {
                self.reader.channel_stands();
                Ok(Ok((channel, hello)))
            }
            Ok((HELLO_NUMBER, Answer::Busy { .. })) => Err(DialError::Busy),
            _ => Err(DialError::NotARelay),
        }
    }
}

/// The number of the first request of a channel; calls go on from the next.
pub(crate) const HELLO_NUMBER: u32 = 0;

fn not_a_relay(_: ChannelError) -> DialError {
    DialError::NotARelay
}
