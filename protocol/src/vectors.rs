//! The frozen vectors of the wire (tests/vectors/protocol.json), made and checked by the same code on every platform.
//!
//! Each vector is an object of texts: a name, what went in, what came out. Bytes are hexadecimal, or where they are many
//! their number and SHA-256. Randomness is given: it is handed out in order. A change in this file is a change of the
//! protocol.

mod channel;
mod derivations;
mod documents;
mod frames;
mod operations;

use core::convert::Infallible;
use core::fmt::Write;

use rand_core::{TryCryptoRng, TryRng, utils};
use serde_json::Value;

use crate::descriptor::{self, RelayIdentity};
use crate::kdf;
use crate::op::{Answer, Request};

/// One request of each kind.
pub fn sample_requests() -> Vec<Request> {
    operations::requests().into_iter().map(|(_, request)| request).collect()
}

/// One answer of each kind.
pub fn sample_answers() -> Vec<Answer> {
    operations::answers().into_iter().map(|(_, answer)| answer).collect()
}

/// A signed descriptor of day 7 with these bytes behind the identity key: whatever they are, the signature holds.
pub fn danger_signed_descriptor(identity: &RelayIdentity, contents: &[u8]) -> Vec<u8> {
    let body = [&[1, 1, 7, 0, 0, 0][..], &identity.public_key(), contents].concat();
    let signature = identity.sign(&[descriptor::SIGNATURE_CONTEXT, &body].concat());
    [&body[..], &signature].concat()
}

/// Bytes that are written out; of longer ones the hash is.
const WRITTEN_OUT_BYTES: usize = 256;

/// One vector: its name, and its fields in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vector {
    name: String,
    fields: Vec<(&'static str, String)>,
}

impl Vector {
    /// A vector without fields yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), fields: vec![] }
    }

    /// Adds a field that is text already.
    pub fn text(mut self, field: &'static str, value: impl ToString) -> Self {
        self.fields.push((field, value.to_string()));
        self
    }

    /// Adds bytes, in hexadecimal or, where they are more than 256, as their number and SHA-256.
    pub fn bytes(self, field: &'static str, bytes: &[u8]) -> Self {
        let value = match bytes.len() {
            many if many > WRITTEN_OUT_BYTES => {
                format!("{many} bytes, SHA-256 {}", hex(&kdf::hash(&[bytes])))
            }
            _ => hex(bytes),
        };
        self.text(field, value)
    }
}

/// The bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String succeeds");
        text
    })
}

/// Randomness that is given: hands out its bytes in order. Never for real keys.
///
/// # Panics
/// When more is wanted than was given.
#[derive(Debug)]
pub struct DangerFixedRandomness(Vec<u8>);

impl DangerFixedRandomness {
    /// Hands out these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// `count` bytes that count up from `first`, as the vectors use them.
    pub fn counting(first: u8, count: usize) -> Vec<u8> {
        (0..count).map(|index| first.wrapping_add((index % 256) as u8)).collect()
    }
}

impl TryRng for DangerFixedRandomness {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, output: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(output.len());
        output.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for DangerFixedRandomness {}

/// All vectors of the wire, as the file holds them.
pub fn generate() -> String {
    to_json(&all())
}

/// Compares a file with what this build makes. Gives the number of vectors, or the first difference.
pub fn check(json: &str) -> Result<usize, String> {
    check_against(json, &all())
}

fn all() -> Vec<Vector> {
    [derivations::all(), operations::all(), frames::all(), documents::all(), channel::all()].concat()
}

/// A vector file: a JSON array of objects.
pub fn to_json(vectors: &[Vector]) -> String {
    let objects: Vec<String> = vectors.iter().map(object).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

fn object(vector: &Vector) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = format!("  {{\n    \"name\": {}", quoted(&vector.name));
    for (field, value) in &vector.fields {
        write!(text, ",\n    {}: {}", quoted(field), quoted(value)).expect("writing to a String succeeds");
    }
    text + "\n  }"
}

/// Compares a vector file with the vectors that it should hold. Gives their number, or the first difference.
pub fn check_against(json: &str, vectors: &[Vector]) -> Result<usize, String> {
    let file: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let objects = file.as_array().ok_or("the file is not an array")?;
    for (object, vector) in objects.iter().zip(vectors) {
        check_one(object, vector)?;
    }
    match (objects.len(), vectors.len()) {
        (held, expected) if held == expected => Ok(expected),
        (held, expected) => Err(format!("the file holds {held} vectors, this build makes {expected}")),
    }
}

fn check_one(object: &Value, vector: &Vector) -> Result<(), String> {
    let name = &vector.name;
    let name_field = ("name", name.clone());
    let fields = vector.fields.iter().chain([&name_field]);
    if object.as_object().map(|fields| fields.len()) != Some(vector.fields.len() + 1) {
        return Err(format!("{name}: other fields than this build makes"));
    }
    for (field, made) in fields {
        let held = object[*field].as_str();
        if held != Some(made) {
            return Err(format!("{name}: `{field}` is {held:?} in the file, this build makes {made:?}"));
        }
    }
    Ok(())
}
