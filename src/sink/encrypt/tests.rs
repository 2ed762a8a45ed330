use ring::agreement::PublicKey as RingPublicKey;

use super::*;

/// The reader's side, written from the format's description alone.
struct Reader {
    private: EphemeralPrivateKey,
    public: RingPublicKey,
}

impl Reader {
    fn new() -> Self {
        let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        let public = private.compute_public_key().unwrap();
        Self { private, public }
    }

    #[expect(clippy::disallowed_methods, reason = "the reader is another program")]
    fn offer(&self, path: &Path) {
        let key = STANDARD.encode(self.public.as_ref());
        fs::write(path, format!(r#"{{"curve25519_public_key":"{key}"}}"#)).unwrap();
    }

    fn open(self, line: &[u8], derive_key: bool, aad: &str) -> Option<String> {
        let mine = self.public.as_ref().to_vec();
        let json: serde_json::Value = serde_json::from_slice(line.strip_suffix(b"\n").unwrap()).unwrap();
        let field = |name: &str| STANDARD.decode(json[name].as_str().unwrap()).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 3);
        let theirs = field("curve25519_public_key");
        let key = agree_ephemeral(self.private, &UnparsedPublicKey::new(&X25519, &theirs), |shared| {
            if !derive_key {
                return shared.to_vec();
            }
            let (low, high) = if mine < theirs { (&mine, &theirs) } else { (&theirs, &mine) };
            let mut key = vec![0; 32];
            let salted = Salt::new(HKDF_SHA256, low).extract(shared);
            salted.expand(&[high], HKDF_SHA256).unwrap().fill(&mut key).unwrap();
            key
        })
        .unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&field("nonce")).unwrap();
        let mut payload = field("encrypted_payload");
        let plain = key.open_in_place(nonce, Aad::from(aad.as_bytes()), &mut payload).ok()?;
        Some(String::from_utf8(plain.to_vec()).unwrap())
    }
}

fn encryption(path: &Path, derive_key: bool, aad: &str) -> Encryption {
    Encryption::new(SinkEncryption { dh_path: path.to_owned(), derive_key, aad: aad.to_owned() })
}

#[test]
fn the_reader_opens_what_was_sealed_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for (derive_key, aad) in [(false, ""), (true, ""), (false, "text"), (true, "text")] {
        let reader = Reader::new();
        reader.offer(&path);
        let line = encryption(&path, derive_key, aad).seal(b"hvs.canary").unwrap();
        assert!(!String::from_utf8_lossy(&line).contains("canary"));
        assert_eq!(reader.open(&line, derive_key, aad).as_deref(), Some("hvs.canary"), "{derive_key} {aad}");
    }
    for (derive_key, aad) in [(false, "text"), (true, "other")] {
        let reader = Reader::new();
        reader.offer(&path);
        let line = encryption(&path, true, "text").seal(b"hvs.canary").unwrap();
        assert_eq!(reader.open(&line, derive_key, aad), None, "{derive_key} {aad}");
    }
}

#[test]
fn the_smaller_public_key_is_the_salt_and_the_larger_the_info() {
    let secret: Vec<u8> = (0..32).collect();
    let (low, high) = ([0x11; 32], [0x22; 32]);
    let hex = |key: &[u8]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // Computed with an independent implementation of RFC 5869.
    let known = "4bf923c7fe0794c38798943ac1ef4e76caa93b4e5cfe4510f9787e136cbc2255";
    assert_eq!(hex(&*derive(&secret, &low, &high).unwrap()), known);
    assert_eq!(hex(&*derive(&secret, &high, &low).unwrap()), known, "whoever is who");
    assert!(derive(&secret, &low, &low).is_none());
}

#[test]
fn keys_are_agreed_on_once_and_nonces_never_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let reader = Reader::new();
    reader.offer(&path);
    let mut encryption = encryption(&path, true, "");
    let first = encryption.seal(b"one").unwrap();
    // The first key is believed; somebody else's comes too late.
    Reader::new().offer(&path);
    let second = encryption.seal(b"two").unwrap();
    let field = |line: &[u8], name: &str| -> String {
        serde_json::from_slice::<serde_json::Value>(line).unwrap()[name].as_str().unwrap().to_owned()
    };
    assert_eq!(field(&first, "curve25519_public_key"), field(&second, "curve25519_public_key"));
    assert_ne!(field(&first, "nonce"), field(&second, "nonce"));
    assert_eq!(reader.open(&second, true, "").as_deref(), Some("two"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the reader is another program")]
fn what_is_no_key_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let message = || crate::problem::chain(&encryption(&path, false, "").seal(b"x").err().unwrap());
    assert!(message().contains("can't be read: No such file"), "{}", message());
    let zero = STANDARD.encode([0; 32]);
    let short = STANDARD.encode([1; 31]);
    for (text, says) in [
        (String::new(), "not the JSON expected"),
        ("{}".into(), "no curve25519_public_key"),
        (r#"{"curve25519_public_key":""}"#.into(), "no curve25519_public_key"),
        (r#"{"curve25519_public_key":"*"}"#.into(), "not base64"),
        (format!(r#"{{"curve25519_public_key":"{short}"}}"#), "not 32 bytes"),
        (format!(r#"{{"curve25519_public_key":"{zero}"}}"#), "no secret can be agreed on"),
    ] {
        fs::write(&path, text).unwrap();
        assert!(message().contains(says), "{says}: {}", message());
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(message().contains("regular file"));
}
