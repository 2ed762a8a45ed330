//! Encrypts what a sink writes for one reader: X25519, on demand HKDF-SHA256, then AES-256-GCM.
//!
//! The reader puts `{"curve25519_public_key": "<base64>"}` into the configured file. Its key is believed when it is
//! seen first, and kept. Source: <https://developer.hashicorp.com/vault/docs/agent-and-proxy/autoauth#encrypting-tokens>.

use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::SinkEncryption;

const KEY_LEN: usize = 32;
/// A file with a public key is smaller than this.
const LARGEST: u64 = 64 << 10;

/// Why nothing can be encrypted yet.
#[derive(Debug, Error)]
pub(super) enum KeyError {
    /// The reader's key isn't there.
    #[error("the reader's public key {} can't be read", path.display())]
    Read {
        /// The configured file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no usable public key: {why}", path.display())]
    Unusable {
        /// The configured file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system gives no random numbers, or the cipher refuses.
    #[error("the encryption failed: {0}")]
    Failed(&'static str),
}

impl KeyError {
    pub(super) const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("the reader of the sink has to put its key there"),
            Self::Unusable { .. } => {
                Some("expected {\"curve25519_public_key\": \"…\"} with 32 bytes in standard base64")
            }
            Self::Failed(_) => None,
        }
    }
}

/// The encryption of one sink. Keys are agreed on once, with the first token.
pub(super) struct Encryption {
    config: SinkEncryption,
    agreed: Option<Agreed>,
}

struct Agreed {
    key: LessSafeKey,
    /// Our half, which the reader needs.
    public: Vec<u8>,
}

#[derive(Deserialize)]
struct PublicKey {
    #[serde(default)]
    curve25519_public_key: String,
}

#[derive(Serialize)]
struct Envelope {
    curve25519_public_key: String,
    nonce: String,
    encrypted_payload: String,
}

impl Encryption {
    pub(super) const fn new(config: SinkEncryption) -> Self {
        Self { config, agreed: None }
    }

    /// Agrees on a key with the reader, unless that is done.
    pub(super) fn agree(&mut self) -> Result<(), KeyError> {
        if self.agreed.is_none() {
            self.agreed = Some(agree(&self.config)?);
        }
        Ok(())
    }

    /// The contents of the file: one line of JSON.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| KeyError::Failed("the system gives no random numbers"))?;
        let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        sealed.extend_from_slice(plain);
        self.agree()?;
        let agreed = self.agreed.as_ref().ok_or(KeyError::Failed("no key"))?;
        let aad = Aad::from(self.config.aad.as_bytes());
        agreed
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *sealed)
            .map_err(|_| KeyError::Failed("the cipher refuses"))?;
        let envelope = Envelope {
            curve25519_public_key: STANDARD.encode(&agreed.public),
            nonce: STANDARD.encode(nonce),
            encrypted_payload: STANDARD.encode(&*sealed),
        };
        let mut line = serde_json::to_vec(&envelope).map_err(|_| KeyError::Failed("no JSON"))?;
        line.push(b'\n');
        Ok(Zeroizing::new(line))
    }
}

/// A key that only the reader and we have.
fn agree(config: &SinkEncryption) -> Result<Agreed, KeyError> {
    let unusable = |why| KeyError::Unusable { path: config.dh_path.clone(), why };
    let theirs = reader_key(&config.dh_path)?;
    let random = SystemRandom::new();
    let private = EphemeralPrivateKey::generate(&X25519, &random)
        .map_err(|_| KeyError::Failed("the system gives no random numbers"))?;
    let public = private
        .compute_public_key()
        .map_err(|_| KeyError::Failed("no public key for a private one"))?
        .as_ref()
        .to_vec();
    let key = agree_ephemeral(private, &UnparsedPublicKey::new(&X25519, &theirs), |shared| {
        if config.derive_key { derive(shared, &public, &theirs) } else { as_key(shared) }
    })
    .map_err(|_| unusable("no secret can be agreed on with it"))?
    .ok_or_else(|| unusable("it is our own"))?;
    let key = UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| KeyError::Failed("the cipher refuses"))?;
    Ok(Agreed { key: LessSafeKey::new(key), public })
}

fn reader_key(path: &Path) -> Result<Vec<u8>, KeyError> {
    let read = |source| KeyError::Read { path: path.to_owned(), source };
    let unusable = |why| KeyError::Unusable { path: path.to_owned(), why };
    // A pipe would never end.
    if !fs::metadata(path).map_err(read)?.is_file() {
        return Err(unusable("it is not a regular file"));
    }
    let mut text = Vec::new();
    fs::File::open(path).map_err(read)?.take(LARGEST).read_to_end(&mut text).map_err(read)?;
    let parsed: PublicKey =
        serde_json::from_slice(&text).map_err(|_| unusable("it is not the JSON expected"))?;
    let key = STANDARD
        .decode(parsed.curve25519_public_key)
        .map_err(|_| unusable("curve25519_public_key is not base64"))?;
    match key.len() {
        KEY_LEN => Ok(key),
        0 => Err(unusable("it has no curve25519_public_key")),
        _ => Err(unusable("curve25519_public_key has not 32 bytes")),
    }
}

fn as_key(bytes: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    bytes.try_into().ok().map(Zeroizing::new)
}

/// HKDF over the shared secret, bound to both public keys: the smaller is the salt, the larger the info. Equal ones
/// give nothing.
fn derive(shared: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let (salt, info) = match ours.cmp(theirs) {
        std::cmp::Ordering::Less => (ours, theirs),
        std::cmp::Ordering::Greater => (theirs, ours),
        std::cmp::Ordering::Equal => return None,
    };
    let mut key = Zeroizing::new([0; KEY_LEN]);
    let extracted = Salt::new(HKDF_SHA256, salt).extract(shared);
    extracted.expand(&[info], Length).ok()?.fill(&mut *key).ok()?;
    Some(key)
}

/// The length of what HKDF gives.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

#[cfg(test)]
mod tests;
