//! The encryption of the file: AES-256-GCM under a key derived from the service-account JWT and a random salt.
//!
//! `magic and version (8) ‖ salt (32) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`; everything before the ciphertext is
//! authenticated with it. Salt and nonce are new in every file, so no key is ever used twice.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

/// Names the format and its version; a file with another one is not read.
const MAGIC: &[u8; 8] = b"decant\0\x01";
const SALT_LEN: usize = 32;
const HEADER_LEN: usize = MAGIC.len() + SALT_LEN + NONCE_LEN;
/// Sets the key apart from any other that somebody may derive from the same JWT.
const INFO: &[u8] = b"decant hand-over, AES-256-GCM";

/// Room that [`seal`] needs behind the plain text.
pub(super) const OVERHEAD: usize = HEADER_LEN + 16;

/// A file with these contents, or `None` when the system gives no random numbers. The plain text is overwritten.
pub(super) fn seal(jwt: &str, plain: &mut Zeroizing<Vec<u8>>) -> Option<Vec<u8>> {
    let mut header = [0; HEADER_LEN];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    SystemRandom::new().fill(&mut header[MAGIC.len()..]).ok()?;
    let (key, nonce) = key(jwt, &header)?;
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&header), plain.as_mut_slice()).ok()?;
    let mut file = Vec::with_capacity(plain.len() + OVERHEAD);
    file.extend_from_slice(&header);
    file.extend_from_slice(plain);
    file.extend_from_slice(tag.as_ref());
    Some(file)
}

/// Why a file doesn't open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// Another format, or another version of this one.
    Format,
    /// Damaged, or made with another JWT.
    Key,
}

/// What is in the file; it is decrypted in place.
pub(super) fn open<'a>(jwt: &str, file: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
    if file.len() < OVERHEAD || !file.starts_with(MAGIC) {
        return Err(OpenError::Format);
    }
    let (header, sealed) = file.split_at_mut(HEADER_LEN);
    let (key, nonce) = key(jwt, header).ok_or(OpenError::Format)?;
    let plain = key.open_in_place(nonce, Aad::from(&*header), sealed).map_err(|_| OpenError::Key)?;
    Ok(plain)
}

fn key(jwt: &str, header: &[u8]) -> Option<(LessSafeKey, Nonce)> {
    let (salt, nonce) = header.get(MAGIC.len()..)?.split_at_checked(SALT_LEN)?;
    let extracted = Salt::new(HKDF_SHA256, salt).extract(jwt.as_bytes());
    let info = [INFO];
    let key = extracted.expand(&info, &AES_256_GCM).ok()?;
    Some((LessSafeKey::new(UnboundKey::from(key)), Nonce::try_assume_unique_for_key(nonce).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(jwt: &str, text: &str) -> Vec<u8> {
        seal(jwt, &mut Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn only_the_same_jwt_opens_it_and_only_untouched() {
        let file = sealed("jwt", "canary");
        assert_eq!(open("jwt", &mut file.clone()).unwrap(), b"canary");
        assert_eq!(open("other", &mut file.clone()), Err(OpenError::Key));
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(open("jwt", &mut damaged).is_err(), "byte {at} is authenticated");
        }
        for length in 0..file.len() {
            assert!(open("jwt", &mut file[..length].to_vec()).is_err(), "cut to {length} bytes");
        }
        assert!(!file.windows(6).any(|part| part == b"canary"));
    }

    #[test]
    fn another_version_is_told_from_a_wrong_key() {
        let mut file = sealed("jwt", "x");
        file[7] = 2;
        assert_eq!(open("jwt", &mut file), Err(OpenError::Format));
        assert_eq!(open("jwt", &mut Vec::new()), Err(OpenError::Format));
    }

    #[test]
    fn no_two_files_share_salt_or_nonce() {
        let (a, b) = (sealed("jwt", "same"), sealed("jwt", "same"));
        assert_ne!(a[8..40], b[8..40]);
        assert_ne!(a[40..52], b[40..52]);
    }
}
