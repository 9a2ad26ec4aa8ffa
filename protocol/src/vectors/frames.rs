//! Every outer frame.

use super::Vector;
use crate::frame::{ChannelId, ChannelOpening, Continued, Fault, OuterFrame};
use crate::kem::CIPHERTEXT_BYTES;
use crate::limits::OUTER_FRAME_BYTES;
use crate::time::Day;

pub(super) fn all() -> Vec<Vector> {
    let opening =
        ChannelOpening { day: Day(20_000), encapsulation: [3; CIPHERTEXT_BYTES].into(), sealed: vec![4; 21] };
    let continued = Continued { channel: ChannelId([5; 16]), counter: 6, sealed: vec![7; 21] };
    let faults = [Fault::KeyUnknown, Fault::ChannelUnknown, Fault::Busy, Fault::TooLarge];
    let frames = [
        ("descriptor wanted", OuterFrame::DescriptorWanted),
        ("descriptor", OuterFrame::Descriptor(vec![1, 2, 3])),
        ("channel", OuterFrame::Channel(opening)),
        ("sealed", OuterFrame::Sealed(vec![4; 21])),
        ("continued", OuterFrame::Continued(continued)),
    ];
    let frames = frames.into_iter().chain(faults.map(|fault| ("fault", OuterFrame::Fault(fault))));
    frames.map(|(name, frame)| vector(name, &frame)).collect()
}

fn vector(name: &str, frame: &OuterFrame) -> Vector {
    let bytes = frame.encode();
    let decoded = OuterFrame::decode(&bytes, OUTER_FRAME_BYTES);
    assert_eq!(decoded.as_ref(), Ok(frame), "a frame of ours decodes");
    Vector::new(format!("frame {name}")).text("type", frame.kind()).bytes("bytes", &bytes)
}
