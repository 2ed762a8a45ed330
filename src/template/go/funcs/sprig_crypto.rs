//! Sprig's passwords and AES: bcrypt, htpasswd, derivePassword, encryptAES.

use ring::hmac;
use zeroize::Zeroizing;

use super::{Args, Func, FuncError};
use crate::template::go::{ctx::Ctx, format::scrypt, kind::Type, value::Value};

const TEXT: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
/// Go's default cost.
const BCRYPT_COST: u32 = 10;
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
    Func::new("sprig_encryptAES", TWO, Type::String, "not available: AES-256-CBC without a seal", aes),
    Func::new("sprig_decryptAES", TWO, Type::String, "not available: AES-256-CBC without a seal", aes),
];

fn aes(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    if args.bytes(1).is_empty() {
        return Ok(Value::text(""));
    }
    Err(FuncError::new(
        "encryptAES and decryptAES are not available here: AES-CBC does not notice changed text; \
         use Vault's transit engine, as in secret \"transit/encrypt/KEY\" \"plaintext=…\"",
    ))
}

/// The hash, or as in the original the text of what went wrong.
fn bcrypt(ctx: &mut Ctx<'_>, password: &[u8]) -> Result<String, FuncError> {
    if password.len() > BCRYPT_LONGEST {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned()
        );
    }
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

fn derive_password(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let kind = args.lossy(1);
    let Some((_, templates)) = TEMPLATES.iter().find(|(name, _)| *name == kind) else {
        return Ok(Value::text(format!("cannot find password template {kind}")));
    };
    let sized = |text: &[u8]| {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        [MASTER_SEED, &length, text].concat()
    };
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
    use super::super::testing::{call, text};
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
    fn aes_points_to_transit() {
        let args = || vec![Value::text("k"), Value::text("t")];
        assert!(call("sprig_encryptAES", args()).err().unwrap().go_text().contains("transit"));
        assert_eq!(text("sprig_decryptAES", vec![Value::text("k"), Value::text("")]), "");
    }
}
