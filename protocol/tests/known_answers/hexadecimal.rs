//! Bytes written as hexadecimal digits, as published answers are.

/// The bytes of a text of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).expect("a hexadecimal digit")).unwrap();
    assert_eq!(text.len() % 2, 0);
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub(crate) fn unhex_array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().expect("as many bytes as wanted")
}
