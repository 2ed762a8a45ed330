//! Sprig's encodings and digests.

use ring::digest::{self as sha, Algorithm};

use super::Func;
use crate::template::go::{
    format::{
        base::{self, Alphabet},
        digest,
    },
    kind::Type,
    value::Value,
};

const TEXT: &[Type] = &[Type::String];

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_b64enc", TEXT, Type::String, "base64 of a text", |_, args| {
        Ok(Value::text(base::encode64(args.bytes(0), Alphabet::Standard)))
    }),
    Func::new("sprig_b64dec", TEXT, Type::String, "text from base64, or what is wrong with it", |_, args| {
        Ok(text_or_error(base::decode64(args.bytes(0), Alphabet::Standard)))
    }),
    Func::new("sprig_b32enc", TEXT, Type::String, "base32 of a text", |_, args| {
        Ok(Value::text(base::encode32(args.bytes(0))))
    }),
    Func::new("sprig_b32dec", TEXT, Type::String, "text from base32, or what is wrong with it", |_, args| {
        Ok(text_or_error(base::decode32(args.bytes(0))))
    }),
    Func::new("sprig_sha1sum", TEXT, Type::String, "SHA-1 in hexadecimal", |ctx, args| {
        ctx.digest(args.bytes(0))?;
        Ok(sum(&sha::SHA1_FOR_LEGACY_USE_ONLY, args.bytes(0)))
    }),
    Func::new("sprig_sha256sum", TEXT, Type::String, "SHA-256 in hexadecimal", |ctx, args| {
        ctx.digest(args.bytes(0))?;
        Ok(sum(&sha::SHA256, args.bytes(0)))
    }),
    Func::new("sprig_sha512sum", TEXT, Type::String, "SHA-512 in hexadecimal", |ctx, args| {
        ctx.digest(args.bytes(0))?;
        Ok(sum(&sha::SHA512, args.bytes(0)))
    }),
    Func::new("sprig_adler32sum", TEXT, Type::String, "Adler-32 as a decimal number", |ctx, args| {
        ctx.digest(args.bytes(0))?;
        Ok(Value::text(digest::adler32(args.bytes(0)).to_string()))
    }),
];

fn sum(algorithm: &'static Algorithm, bytes: &[u8]) -> Value {
    Value::text(digest::hex(sha::digest(algorithm, bytes).as_ref()))
}

/// The original returns the error's text as the result.
fn text_or_error(decoded: Result<Vec<u8>, base::BaseError>) -> Value {
    decoded.map_or_else(|error| Value::text(error.to_string()), Value::text)
}

#[cfg(test)]
mod tests {
    use super::super::testing::text;
    use super::*;

    #[test]
    fn sums_and_encodings_match_the_original() {
        let one = |name, input: &str| text(name, vec![Value::text(input)]);
        assert_eq!(one("sprig_sha1sum", "x"), "11f6ad8ec52a2984abaafd7c3b516503785c2072");
        assert_eq!(one("sprig_sha512sum", "x").len(), 128);
        assert_eq!(one("sprig_adler32sum", "x"), "7929977");
        assert_eq!(one("sprig_b32dec", "MFRA===="), "ab");
        assert_eq!(one("sprig_b32enc", "ab"), "MFRA====");
        assert_eq!(one("sprig_b64dec", "!!"), "illegal base64 data at input byte 0");
        assert_eq!(one("sprig_b32dec", "1"), "illegal base32 data at input byte 0");
    }
}
