//! Base64 and base32 as Go reads and writes them: padding required, CR and LF skipped, errors name a byte.

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Input that is not base64 or base32, in Go's words.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaseError {
    /// The offset of the first byte that cannot be base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// The offset of the first byte that cannot be base32.
    #[error("illegal base32 data at input byte {0}")]
    Base32(usize),
}

/// The two alphabets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// With `+` and `/`.
    Standard,
    /// With `-` and `_`.
    Url,
}

/// Lenient about the unused bits of the last character, as Go is.
fn engine(alphabet: Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let table = match alphabet {
        Alphabet::Standard => &STANDARD,
        Alphabet::Url => &URL_SAFE,
    };
    GeneralPurpose::new(table, config)
}

/// Encodes with padding.
pub fn encode64(bytes: &[u8], alphabet: Alphabet) -> String {
    engine(alphabet).encode(bytes)
}

/// Decodes padded base64; CR and LF are skipped anywhere.
///
/// # Errors
/// The offset that Go names: of the first bad byte, or where the missing end would begin.
pub fn decode64(text: &[u8], alphabet: Alphabet) -> Result<Vec<u8>, BaseError> {
    let kept: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    engine(alphabet).decode(&kept).map_err(|_| BaseError::Base64(fault64(text, alphabet)))
}

/// Where Go's decoder stops in text that does not decode.
fn fault64(text: &[u8], alphabet: Alphabet) -> usize {
    let is_digit = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || match alphabet {
                Alphabet::Standard => matches!(byte, b'+' | b'/'),
                Alphabet::Url => matches!(byte, b'-' | b'_'),
            }
    };
    let mut in_quantum = 0;
    let mut rest = text.iter().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n'));
    while let Some((at, &byte)) = rest.next() {
        if is_digit(byte) {
            in_quantum = (in_quantum + 1) % 4;
        } else if byte != b'=' || in_quantum < 2 {
            return at;
        } else if in_quantum == 2 {
            return match rest.next() {
                None => text.len(),
                Some((next, b'=')) => rest.next().map_or(next, |(after, _)| after),
                // Go counts back from what it found instead of the second `=`.
                Some((next, _)) => next - 1,
            };
        } else {
            return rest.next().map_or(at, |(after, _)| after);
        }
    }
    text.len() - in_quantum.min(text.len())
}

const DIGITS32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Encodes as RFC 4648 base32 with padding.
pub fn encode32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut group = [0u8; 5];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = group.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = DIGITS32[(bits >> (35 - 5 * index) & 31) as usize];
            out.push(if index < digits { char::from(digit) } else { '=' });
        }
    }
    out
}

/// Decodes padded RFC 4648 base32; CR and LF are skipped anywhere. What follows a padded end is not looked at.
///
/// # Errors
/// The offset that Go names, counted without CR and LF.
pub fn decode32(text: &[u8]) -> Result<Vec<u8>, BaseError> {
    let kept: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let mut out = Vec::with_capacity(kept.len() / 8 * 5);
    let mut rest = kept.as_slice();
    while !rest.is_empty() {
        let (digits, bits) = quantum32(kept.len(), &mut rest)?;
        let bits = bits << (5 * (8 - digits));
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + digits * 5 / 8]);
        if digits < 8 {
            break;
        }
    }
    Ok(out)
}

/// Up to eight digits and what they say; `whole` is the length of the text that `rest` ends.
fn quantum32(whole: usize, rest: &mut &[u8]) -> Result<(usize, u64), BaseError> {
    let mut bits = 0u64;
    for digits in 0..8 {
        let Some((&byte, after)) = rest.split_first() else { return Err(BaseError::Base32(whole - digits)) };
        *rest = after;
        if byte == b'=' && digits >= 2 && rest.len() < 8 {
            if rest.len() + digits < 7 {
                return Err(BaseError::Base32(whole));
            }
            if let Some(bad) = rest.iter().take(7 - digits).position(|byte| *byte != b'=') {
                return Err(BaseError::Base32(whole + bad - rest.len() - 1));
            }
            if matches!(digits, 3 | 6) {
                return Err(BaseError::Base32(whole - rest.len() - 1));
            }
            return Ok((digits, bits));
        }
        let value = DIGITS32.iter().position(|digit| *digit == byte);
        bits = bits << 5 | value.ok_or(BaseError::Base32(whole - rest.len() - 1))? as u64;
    }
    Ok((8, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_what_go_reads() {
        assert_eq!(decode64(b"aGVs\nbG8=", Alphabet::Standard).unwrap(), b"hello");
        assert_eq!(decode64(b"aGVsbG9=", Alphabet::Standard).unwrap(), b"hello", "unused bits are ignored");
        assert_eq!(decode64(b"", Alphabet::Standard).unwrap(), b"");
        assert_eq!(encode64(b"hello?>", Alphabet::Url), "aGVsbG8_Pg==");
    }

    #[test]
    fn base64_errors_name_gos_byte() {
        for (text, byte) in [
            ("aGVsbG8", 4),
            ("aGVs bG8=", 4),
            ("a+*b", 2),
            ("====", 0),
            ("aGVsbG8=x", 8),
            ("aG=x", 2),
            ("a", 0),
        ] {
            let error = decode64(text.as_bytes(), Alphabet::Standard).unwrap_err();
            assert_eq!(error, BaseError::Base64(byte), "{text}");
        }
        assert_eq!(decode64(b"a+b", Alphabet::Url), Err(BaseError::Base64(1)));
    }

    #[test]
    fn base32_round_trips_every_length() {
        for length in 0..20u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37)).collect();
            assert_eq!(decode32(encode32(&bytes).as_bytes()).unwrap(), bytes);
        }
        assert_eq!(encode32(b"foob"), "MZXW6YQ=");
        assert_eq!(decode32(b"MZXW6Y").unwrap_err().to_string(), "illegal base32 data at input byte 0");
        assert_eq!(decode32(b"a").unwrap_err().to_string(), "illegal base32 data at input byte 0");
    }
}
