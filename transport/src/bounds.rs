//! The bounds of the carrier, each with its unit and its reason. What both sides of the protocol rely on stands in
//! `poterne_protocol::limits` instead.

use std::time::Duration;

/// Until a QUIC connection must stand: half of what a command gives a dead relay.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until a connection must have finished its handshake at a relay; slow phones need seconds, an attacker needs for ever.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Until a client must have sent what begins a channel, and until the rest of a frame must follow its beginning: a frame
/// of 300 KiB at 80 kbit/s.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// Until a peer must take what is written to it; beyond, its window is closed on purpose or the path is dead.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Until a call must be answered, beside the time that a fetch waits.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two signs of life of a client, so that NAT mappings (often 30 s) stay.
pub const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Silence after which a client gives a connection up; longer than [`KEEP_ALIVE`] by two lost packets.
pub const CLIENT_IDLE: Duration = Duration::from_secs(60);
/// Between two stateless resets. One is shorter than what it answers and costs an HMAC; at quinn's 20 ms, of the clients
/// that ask at once after a restart all but one wait for their next tries, which come at twice the distance each time.
pub const RESET_INTERVAL: Duration = Duration::from_micros(100);
/// Until a closed connection's last packets must have left.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes in flight in one stream towards a client: a full answer of 64 envelopes and its successor.
pub const STREAM_WINDOW_BYTES: u32 = 640 * 1024;
/// Bytes in flight in one connection towards a client, over all its streams.
pub const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes that one connection of a client may have waiting for acknowledgement.
pub const SEND_WINDOW_BYTES: u64 = 1024 * 1024;
/// Bytes in flight in one connection towards a relay, over all its streams: what a stranger can make it hold by leaving a
/// gap. Thirty puts; over a path of 100 ms 1.3 MB/s.
pub const RELAY_WINDOW_BYTES: u32 = 128 * 1024;
/// Bytes that one connection of a relay may have waiting for acknowledgement: what a stranger can make it hold by not
/// reading.
pub const RELAY_SEND_WINDOW_BYTES: u64 = 128 * 1024;
/// Bytes of first packets that a relay keeps for connections that it has not looked at yet.
pub const INCOMING_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of an answer that must leave before [`WRITE_TIMEOUT`]: half a KiB a second, which a throttled phone can take.
pub const WRITE_PIECE_BYTES: usize = 16 * 1024;
/// After so long without progress a write gives way, where others wait for the room that its answer takes.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Until a connection without a channel must have one: as long as a first frame may take.
pub const CHANNEL_TIMEOUT: Duration = Duration::from_secs(30);
/// Streams in a row that bring no channel, until the connection is closed.
pub const STREAMS_WITHOUT_CHANNEL: u32 = 8;
/// Bytes of the kernel's UDP buffers: at the default thousands of packets are lost under load. Best effort.
pub const UDP_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that a stream is read by at once.
pub const READ_BYTES: usize = 16 * 1024;
/// Bytes of answers that are written at once; sealing more before writing would only hold memory.
pub const WRITE_BATCH_BYTES: usize = 64 * 1024;
/// Frames in one stream before a channel stands: two descriptors and two encapsulations, the second pair after a fault.
pub const FRAMES_BEFORE_CHANNEL: u32 = 4;
