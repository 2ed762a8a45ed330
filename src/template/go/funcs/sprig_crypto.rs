//! Sprig's passwords and AES: bcrypt, htpasswd, derivePassword, encryptAES.

use aes::{
    Aes256,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use ring::hmac;
use zeroize::Zeroizing;

use super::{Args, Func, FuncError};
use crate::template::go::{
    ctx::Ctx,
    format::{
        base::{self, Alphabet},
        scrypt,
    },
    kind::Type,
    value::Value,
};

const TEXT: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
/// Go's default cost.
const BCRYPT_COST: u32 = 10;
/// What a hash counts for among the steps of a render: it takes as long as that many, so that a dozen and some end it.
const BCRYPT_STEPS: u64 = 125_000;
/// The same for a derived password.
const DERIVE_STEPS: u64 = 600_000;
/// bcrypt ignores what follows, so Go refuses longer passwords.
const BCRYPT_LONGEST: usize = 72;
/// Part of the Master Password algorithm: <https://masterpassword.app/masterpassword-algorithm.pdf>.
const MASTER_SEED: &[u8] = b"com.lyndir.masterpassword";

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_bcrypt", TEXT, Type::String, "a bcrypt hash of a password", |ctx, args| {
        Ok(Value::text(bcrypt(ctx, args.bytes(0))?))
    }),
    Func::new("sprig_htpasswd", TWO, Type::String, "a line of an htpasswd file", |ctx, args| {
        let user = args.lossy(0);
        if user.contains(':') {
            return Ok(Value::text(format!("invalid username: {user}")));
        }
        Ok(Value::text(format!("{user}:{}", bcrypt(ctx, args.bytes(1))?)))
    }),
    Func::new(
        "sprig_derivePassword",
        &[Type::Uint32, Type::String, Type::String, Type::String, Type::String],
        Type::String,
        "a password for a site from a master password",
        derive_password,
    ),
    Func::new(
        "sprig_encryptAES",
        TWO,
        Type::String,
        "a text encrypted by AES-256-CBC, which does not notice changes",
        encrypt,
    ),
    Func::new("sprig_decryptAES", TWO, Type::String, "a text from what encryptAES made", decrypt),
];

const BLOCK: usize = 16;

/// The password as a key: cut or filled with zeros.
fn cipher(password: &[u8]) -> Aes256 {
    let mut key = Zeroizing::new([0; 32]);
    let length = password.len().min(32);
    key[..length].copy_from_slice(&password[..length]);
    Aes256::new((&*key).into())
}

fn encrypt(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let plain = args.bytes(1);
    if plain.is_empty() {
        return Ok(Value::text(""));
    }
    let mut out = vec![0; BLOCK];
    ctx.host.random(&mut out).map_err(FuncError::new)?;
    let padding = BLOCK - plain.len() % BLOCK;
    out.extend_from_slice(plain);
    out.extend(std::iter::repeat_n(padding.to_le_bytes()[0], padding));
    let cipher = cipher(args.bytes(0));
    for start in (BLOCK..out.len()).step_by(BLOCK) {
        let (before, rest) = out.split_at_mut(start);
        for (byte, mask) in rest.iter_mut().zip(&before[start - BLOCK..]) {
            *byte ^= mask;
        }
        if let Some(block) = rest.first_chunk_mut::<BLOCK>() {
            cipher.encrypt_block(block.into());
        }
    }
    Ok(Value::text(base::encode64(&out, Alphabet::Standard)))
}

fn decrypt(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let text = args.bytes(1);
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    let crypt =
        base::decode64(text, Alphabet::Standard).map_err(|error| FuncError::new(error.to_string()))?;
    if crypt.len() < BLOCK {
        let capacity = text.len() / 4 * 3;
        return Err(FuncError::new(format!(
            "runtime error: slice bounds out of range [:16] with capacity {capacity}"
        )));
    }
    let (chain, blocks) = (&crypt, &crypt[BLOCK..]);
    if blocks.len() % BLOCK != 0 {
        return Err(FuncError::new("crypto/cipher: input not full blocks"));
    }
    let cipher = cipher(args.bytes(0));
    let mut plain = Zeroizing::new(blocks.to_vec());
    for (at, block) in plain.chunks_exact_mut(BLOCK).enumerate() {
        if let Some(block) = block.first_chunk_mut::<BLOCK>() {
            cipher.decrypt_block(block.into());
        }
        for (byte, mask) in block.iter_mut().zip(&chain[at * BLOCK..]) {
            *byte ^= mask;
        }
    }
    let Some(padding) = plain.last().copied().map(usize::from) else {
        return Err(FuncError::new("runtime error: index out of range [-1]"));
    };
    match plain.len().checked_sub(padding) {
        Some(length) => Ok(Value::text(plain[..length].to_vec())),
        None => {
            let by = padding - plain.len();
            Err(FuncError::new(format!("runtime error: slice bounds out of range [:-{by}]"))
                .hint("the password is another one, or the text was changed"))
        }
    }
}

/// The hash, or as in the original the text of what went wrong.
fn bcrypt(ctx: &mut Ctx<'_>, password: &[u8]) -> Result<String, FuncError> {
    if password.len() > BCRYPT_LONGEST {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned()
        );
    }
    ctx.labour(BCRYPT_STEPS)?;
    let mut salt = [0; 16];
    ctx.host.random(&mut salt).map_err(FuncError::new)?;
    let hash = bcrypt::hash_with_salt(password, BCRYPT_COST, salt)
        .map_err(|error| FuncError::new(format!("bcrypt: {error}")))?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA))
}

/// Shapes of passwords by type; each letter stands for a set of characters.
const TEMPLATES: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

const fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive_password(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let kind = args.lossy(1);
    let Some((_, templates)) = TEMPLATES.iter().find(|(name, _)| *name == kind) else {
        return Ok(Value::text(format!("cannot find password template {kind}")));
    };
    let sized = |text: &[u8]| {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        [MASTER_SEED, &length, text].concat()
    };
    ctx.labour(DERIVE_STEPS)?;
    let mut key = Zeroizing::new([0; 64]);
    scrypt::derive(args.bytes(2), &sized(args.bytes(3)), 32_768, 8, 2, key.as_mut());
    let counter = u32::try_from(args.int(0)).unwrap_or(0).to_be_bytes();
    let message = [sized(args.bytes(4)), counter.to_vec()].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), &message);
    let (first, seed) = tag.as_ref().split_first().unwrap_or((&0, &[]));
    let template = templates[usize::from(*first) % templates.len()];
    let password: Vec<u8> = template
        .bytes()
        .zip(seed)
        .map(|(class, byte)| characters(class)[usize::from(*byte) % characters(class).len()])
        .collect();
    Ok(Value::text(password))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fails, text};
    use super::*;

    #[test]
    fn derived_passwords_match_the_original() {
        let derive = |kind: &str| {
            let rest = [kind, "password", "user", "example.com"].map(Value::text);
            text("sprig_derivePassword", [vec![Value::Uint64(1)], rest.to_vec()].concat())
        };
        assert_eq!(derive("long"), "ZedaFaxcZaso9*");
        assert_eq!(derive("nope"), "cannot find password template nope");
    }

    #[test]
    fn hashes_verify_and_are_of_the_originals_version() {
        let line = text("sprig_htpasswd", vec![Value::text("u"), Value::text("hunter2")]);
        let hash = line.strip_prefix("u:").unwrap();
        assert!(hash.starts_with("$2a$10$"), "{hash}");
        assert!(bcrypt::verify("hunter2", hash).unwrap());
        assert_eq!(
            text("sprig_htpasswd", vec![Value::text("a:b"), Value::text("")]),
            "invalid username: a:b"
        );
        assert!(text("sprig_bcrypt", vec![Value::text("x".repeat(73))]).starts_with("failed to encrypt"));
    }

    #[test]
    fn aes_reads_what_it_wrote_and_what_the_original_wrote() {
        let args = |text: &str| vec![Value::text("secretkey"), Value::text(text)];
        for plain in ["", "a", "sixteen bytes ok", "plaintext of more than one block"] {
            let hidden = text("sprig_encryptAES", args(plain));
            assert_eq!(text("sprig_decryptAES", args(&hidden)), plain);
        }
        assert_eq!(
            text("sprig_decryptAES", args("30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=")),
            "plaintext"
        );
        assert!(fails("sprig_decryptAES", args("AAAA")).contains("slice bounds out of range"));
        assert!(fails("sprig_decryptAES", args("!")).contains("illegal base64"));
    }
}
