//! Hashes, keys, relay forms, mailboxes, X-Wing.

use super::{DangerFixedRandomness, Vector};
use crate::envelope::SealedEnvelope;
use crate::kdf::{hash, kdf, var};
use crate::kem::KemSecret;
use crate::keys::{KeyHash, MailboxSecret, Pin, StewardKey};
use crate::limits::ENVELOPE_BYTES;
use crate::mailbox::{Kind, MailboxHashes};

pub(super) fn all() -> Vec<Vector> {
    let derivations = vec![
        Vector::new("hash").bytes("parts", b"abc").bytes("output", &hash(&[b"a", b"bc"])),
        kdf_vector("kdf without salt or fields", &[], b"ikm", "label", &[]),
        kdf_vector("kdf with salt and fields", &[7; 32], &[8; 32], "label", &[&[1, 2], &var(b"three")]),
        pin(),
        envelope_id(),
        steward(),
    ];
    [derivations, mailboxes(), x_wing()].concat()
}

fn kdf_vector(name: &str, salt: &[u8], ikm: &[u8], label: &str, fields: &[&[u8]]) -> Vector {
    let output = kdf::<40>(salt, ikm, label, fields);
    let vector = Vector::new(name).bytes("salt", salt).bytes("ikm", ikm).text("label", label);
    vector.bytes("fields", &fields.concat()).bytes("output", &output[..])
}

fn pin() -> Vector {
    Vector::new("pin").bytes("identity key", &[1; 32]).bytes("pin", &Pin::of(&[1; 32]).0)
}

fn envelope_id() -> Vector {
    let envelope = SealedEnvelope::parse(&[7; ENVELOPE_BYTES]).expect("an envelope has 4096 bytes");
    Vector::new("envelope id").bytes("envelope", envelope.as_bytes()).bytes("id", &envelope.id().0)
}

fn steward() -> Vector {
    let key = StewardKey::from_bytes(&[6; 32]);
    Vector::new("steward key").bytes("key", key.expose()).bytes("hash", &key.hash().0)
}

fn mailboxes() -> Vec<Vector> {
    let secret = MailboxSecret::from_bytes(&[3; 32]);
    let pin = Pin([9; 16]);
    let keys = secret.keys();
    let derived = Vector::new("mailbox keys")
        .bytes("secret", secret.expose())
        .bytes("write", keys.write.expose())
        .bytes("read", keys.read.expose())
        .bytes("delete", keys.delete.expose());
    let forms = Vector::new("relay forms")
        .bytes("pin", &pin.0)
        .bytes("write_r", keys.write.at(&pin).expose())
        .bytes("read_r", keys.read.at(&pin).expose())
        .bytes("delete_r", keys.delete.at(&pin).expose());
    let plain = MailboxHashes::plain(&keys, &pin);
    let opened = |kind| MailboxHashes { kind, delete: KeyHash::NOBODY, ..plain };
    vec![
        derived,
        forms,
        mailbox("plain mailbox", plain),
        mailbox("intake", opened(Kind::Intake)),
        mailbox("log", opened(Kind::Log)),
    ]
}

fn mailbox(name: &str, hashes: MailboxHashes) -> Vector {
    Vector::new(name)
        .text("kind", hashes.kind.number())
        .bytes("H(write_r)", &hashes.write.0)
        .bytes("H(read_r)", &hashes.read.0)
        .bytes("H(delete_r)", &hashes.delete.0)
        .bytes("id", &hashes.id().0)
}

fn x_wing() -> Vec<Vector> {
    (1..=3).map(|number| x_wing_vector(&[number; 32], &DangerFixedRandomness::counting(number, 64))).collect()
}

fn x_wing_vector(seed: &[u8; 32], randomness: &[u8]) -> Vector {
    let secret = KemSecret::from_seed(seed);
    let public = secret.public();
    let (ciphertext, shared) = public.encapsulate(&mut DangerFixedRandomness::new(randomness));
    let opened = secret.decapsulate(&ciphertext).expect("the ciphertext was made for this key");
    assert_eq!(*opened, *shared, "both sides hold the same secret");
    Vector::new("X-Wing")
        .bytes("seed", seed)
        .bytes("randomness", randomness)
        .bytes("public key", public.as_bytes())
        .bytes("ciphertext", ciphertext.as_bytes())
        .bytes("shared secret", &shared[..])
}
