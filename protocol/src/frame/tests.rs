//! Frames with their bytes written out, and streams of them.

use proptest::prelude::*;

use super::*;
use crate::limits::{FIRST_FRAME_BYTES, OUTER_FRAME_BYTES, REQUEST_FRAME_BYTES};

fn opening() -> OuterFrame {
    OuterFrame::Channel(ChannelOpening {
        day: Day(0x0102),
        encapsulation: [3; CIPHERTEXT_BYTES].into(),
        sealed: vec![4; 17],
    })
}

fn continued() -> OuterFrame {
    OuterFrame::Continued(Continued { channel: ChannelId([5; 16]), counter: 6, sealed: vec![7; 16] })
}

fn check(frame: &OuterFrame, bytes: &[&[u8]]) {
    let expected = bytes.concat();
    assert_eq!(frame.encode(), expected);
    assert_eq!(frame.body_bytes() + HEADER_BYTES, expected.len());
    assert_eq!(OuterFrame::decode(&expected, OUTER_FRAME_BYTES).as_ref(), Ok(frame));
}

#[test]
fn each_frame_has_its_bytes() {
    check(&OuterFrame::DescriptorWanted, &[&[1, 0, 0, 0]]);
    check(&OuterFrame::Descriptor(vec![9, 8]), &[&[2, 2, 0, 0], &[9, 8]]);
    check(&opening(), &[&[3, 0x75, 4, 0], &[2, 1, 0, 0], &[3; CIPHERTEXT_BYTES], &[4; 17]]);
    check(&OuterFrame::Sealed(vec![1; 300]), &[&[4, 44, 1, 0], &[1; 300]]);
    check(&continued(), &[&[5, 40, 0, 0], &[5; 16], &[6, 0, 0, 0, 0, 0, 0, 0], &[7; 16]]);
    let faults = [
        (Fault::KeyUnknown, 1),
        (Fault::ChannelUnknown, 2),
        (Fault::Busy, 3),
        (Fault::TooLarge, 4),
        (Fault::Other(77), 77),
    ];
    for (fault, code) in faults {
        check(&OuterFrame::Fault(fault), &[&[6, 1, 0, 0, code]]);
    }
}

#[test]
fn a_frame_shows_its_type_and_nothing_else() {
    assert_eq!(format!("{:?}", OuterFrame::Sealed(vec![1; 300])), "OuterFrame(4)");
    let (OuterFrame::Channel(opening), OuterFrame::Continued(going_on)) = (opening(), continued()) else {
        panic!("they are what they are called")
    };
    assert_eq!(format!("{opening:?} {going_on:?}"), "ChannelOpening(..) Continued(..)");
    assert_eq!(format!("{:?}", going_on.channel), "ChannelId(..)");
}

#[test]
fn bodies_that_are_too_short_or_too_long_are_refused() {
    let body = |kind, error| Err(FrameError::Body { kind, error });
    let decode = |bytes: &[u8]| OuterFrame::decode(bytes, 64);
    assert_eq!(decode(&[1, 1, 0, 0, 0]), body(1, DecodeError::TooLong { extra: 1 }));
    assert_eq!(decode(&[3, 3, 0, 0, 1, 2, 3]), body(3, DecodeError::TooShort { missing: 1 }));
    assert_eq!(decode(&[4, 1, 0, 0, 0]), body(4, DecodeError::TooShort { missing: 15 }));
    assert_eq!(decode(&[6, 0, 0, 0]), body(6, DecodeError::TooShort { missing: 1 }));
    assert_eq!(decode(&[6, 2, 0, 0, 1, 1]), body(6, DecodeError::TooLong { extra: 1 }));
}

#[test]
fn one_frame_is_neither_less_nor_more() {
    let decode = |bytes: &[u8]| OuterFrame::decode(bytes, 64);
    assert_eq!(decode(&[1, 0, 0]), Err(FrameError::Length { actual: 3, expected: 4 }));
    assert_eq!(decode(&[6, 1, 0, 0]), Err(FrameError::Length { actual: 4, expected: 5 }));
    assert_eq!(decode(&[1, 0, 0, 0, 1]), Err(FrameError::Length { actual: 5, expected: 4 }));
}

#[test]
fn unknown_types_are_refused() {
    for kind in (7..=255).chain([0]) {
        assert_eq!(OuterFrame::decode(&[kind, 0, 0, 0], 64), Err(FrameError::UnknownType { kind }));
    }
}

/// The header of a sealed frame whose body has `body_bytes` bytes.
fn header_of(body_bytes: usize) -> [u8; 4] {
    let length = u32::try_from(body_bytes).unwrap().to_le_bytes();
    [4, length[0], length[1], length[2]]
}

#[test]
fn a_frame_that_is_too_large_is_refused_by_its_header_alone() {
    let too_large = |limit| FrameError::TooLarge { actual: limit + 1, limit };
    for new in [FrameDecoder::for_relay, FrameDecoder::for_client] {
        let mut decoder = new();
        decoder.push(&header_of(FIRST_FRAME_BYTES));
        assert_eq!(decoder.next(), Ok(None));
        let mut decoder = new();
        decoder.push(&header_of(FIRST_FRAME_BYTES + 1));
        assert_eq!(decoder.next(), Err(too_large(FIRST_FRAME_BYTES)));
    }
    let decoded = OuterFrame::decode(&header_of(OUTER_FRAME_BYTES + 1), OUTER_FRAME_BYTES);
    assert_eq!(decoded, Err(too_large(OUTER_FRAME_BYTES)));
}

#[test]
fn frames_of_a_channel_that_stands_may_be_longer() {
    let bounds: [(fn() -> FrameDecoder, usize); 2] =
        [(FrameDecoder::for_relay, REQUEST_FRAME_BYTES), (FrameDecoder::for_client, OUTER_FRAME_BYTES)];
    for (new, limit) in bounds {
        let mut decoder = new();
        decoder.channel_stands();
        decoder.push(&header_of(limit));
        assert_eq!(decoder.next(), Ok(None));
        decoder.push(&vec![0; limit]);
        assert!(decoder.next().unwrap().is_some());
        decoder.push(&header_of(limit + 1));
        assert_eq!(decoder.next(), Err(FrameError::TooLarge { actual: limit + 1, limit }));
    }
}

#[test]
fn a_failed_stream_stays_failed() {
    let mut decoder = FrameDecoder::for_relay();
    decoder.push(&[9, 0, 0, 0]);
    assert_eq!(decoder.next(), Err(FrameError::UnknownType { kind: 9 }));
    decoder.push(&[1, 0, 0, 0]);
    assert_eq!(decoder.next(), Err(FrameError::UnknownType { kind: 9 }));
    assert!(!decoder.is_mid_frame());
}

#[test]
fn an_idle_decoder_holds_nothing() {
    let mut decoder = FrameDecoder::for_client();
    decoder.push(&continued().encode());
    assert_eq!(decoder.next(), Ok(Some(continued())));
    assert_eq!(decoder.held_bytes(), 0);
    decoder.push(&[1, 0]);
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.is_mid_frame() && decoder.held_bytes() >= 2);
}

fn any_frame() -> impl Strategy<Value = OuterFrame> {
    let sealed = || proptest::collection::vec(any::<u8>(), 16..400);
    prop_oneof![
        Just(OuterFrame::DescriptorWanted),
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(OuterFrame::Descriptor),
        (any::<u32>(), any::<u8>(), sealed()).prop_map(|(day, byte, sealed)| {
            OuterFrame::Channel(ChannelOpening {
                day: Day(day),
                encapsulation: [byte; CIPHERTEXT_BYTES].into(),
                sealed,
            })
        }),
        sealed().prop_map(OuterFrame::Sealed),
        (any::<[u8; 16]>(), any::<u64>(), sealed()).prop_map(|(channel, counter, sealed)| {
            OuterFrame::Continued(Continued { channel: ChannelId(channel), counter, sealed })
        }),
        any::<u8>().prop_map(|code| OuterFrame::Fault(Fault::of(code))),
    ]
}

proptest! {
    #[test]
    fn a_stream_gives_the_same_frames_however_it_is_cut(
        frames in proptest::collection::vec(any_frame(), 0..8),
        piece_bytes in 1usize..700,
    ) {
        let stream = frames.iter().flat_map(OuterFrame::encode).collect::<Vec<u8>>();
        let mut decoder = FrameDecoder::for_relay();
        let mut seen = Vec::new();
        for piece in stream.chunks(piece_bytes) {
            decoder.push(piece);
            while let Some(frame) = decoder.next().unwrap() {
                seen.push(frame);
            }
        }
        prop_assert_eq!(seen, frames);
        prop_assert!(!decoder.is_mid_frame());
    }

    #[test]
    fn a_decoder_survives_any_input(kind in 0u8..8, bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut decoder = FrameDecoder::for_client();
        decoder.push(&[kind]);
        decoder.push(&bytes);
        while let Ok(Some(frame)) = decoder.next() {
            prop_assert_eq!(OuterFrame::decode(&frame.encode(), FIRST_FRAME_BYTES), Ok(frame));
        }
        let _ = OuterFrame::decode(&bytes, FIRST_FRAME_BYTES);
    }
}
