//! Sprig's keys and certificates. Keys are ECDSA P-256 or Ed25519: RSA keys cannot be made here.

use std::{net::IpAddr, rc::Rc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::{Args, Func, FuncError};
use crate::{
    template::go::{
        ctx::Ctx,
        format::base::{Alphabet, decode64},
        kind::Type,
        object::{Object, StructType},
        print,
        value::Value,
    },
    vault::value::Text,
};

/// What a certificate counts for among the steps of a render, with its signature.
const CERTIFICATE_STEPS: u64 = 3_000;

/// The same for a key alone.
const KEY_STEPS: u64 = 200;

const PAIR_TYPE: Type = Type::Struct(&CERTIFICATE);

pub(super) const FUNCS: &[Func] = &[
    Func::new("sprig_genPrivateKey", &[Type::String], Type::String, "a new private key", private_key),
    Func::new(
        "sprig_genCA",
        &[Type::String, Type::Int],
        PAIR_TYPE,
        "a certificate authority with a new ECDSA key",
        |ctx, args| Request::new(&args, 1)?.authority(ctx, &ecdsa_key()?),
    ),
    Func::new(
        "sprig_genCAWithKey",
        &[Type::String, Type::Int, Type::String],
        PAIR_TYPE,
        "a certificate authority with a given key",
        |ctx, args| Request::new(&args, 1)?.authority(ctx, &args.lossy(2)),
    ),
    Func::new(
        "sprig_genSelfSignedCert",
        &[Type::String, Type::ANYS, Type::ANYS, Type::Int],
        PAIR_TYPE,
        "a certificate signed by itself with a new ECDSA key",
        |ctx, args| Request::new(&args, 3)?.signed(ctx, &args, &ecdsa_key()?, None),
    ),
    Func::new(
        "sprig_genSelfSignedCertWithKey",
        &[Type::String, Type::ANYS, Type::ANYS, Type::Int, Type::String],
        PAIR_TYPE,
        "a certificate signed by itself with a given key",
        |ctx, args| Request::new(&args, 3)?.signed(ctx, &args, &args.lossy(4), None),
    ),
    Func::new(
        "sprig_genSignedCert",
        &[Type::String, Type::ANYS, Type::ANYS, Type::Int, PAIR_TYPE],
        PAIR_TYPE,
        "a certificate signed by an authority with a new ECDSA key",
        |ctx, args| Request::new(&args, 3)?.signed(ctx, &args, &ecdsa_key()?, Some(args.get(4))),
    ),
    Func::new(
        "sprig_genSignedCertWithKey",
        &[Type::String, Type::ANYS, Type::ANYS, Type::Int, PAIR_TYPE, Type::String],
        PAIR_TYPE,
        "a certificate signed by an authority with a given key",
        |ctx, args| Request::new(&args, 3)?.signed(ctx, &args, &args.lossy(5), Some(args.get(4))),
    ),
    Func::new(
        "sprig_buildCustomCert",
        &[Type::String, Type::String],
        PAIR_TYPE,
        "a certificate and key from base64",
        custom,
    ),
];

static CERTIFICATE: StructType = StructType {
    name: "sprig.certificate",
    fields: &[("Cert", Type::String), ("Key", Type::String)],
    methods: &[],
    text: None,
    inside: None,
    hidden: None,
    syntax: None,
};

fn pair(certificate: &str, key: &str) -> Value {
    let fields = vec![Value::text(certificate), Value::text(key)];
    Value::Object(Rc::new(Object { of: &CERTIFICATE, pointer: false, fields, state: None }))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(STANDARD.encode(der));
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(std::str::from_utf8(line).unwrap_or_default());
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}

/// The bytes of the first block of a PEM text, with its label.
fn pem_block(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    Some((label, Zeroizing::new(STANDARD.decode(body).ok()?)))
}

/// DER around a P-256 key (RFC 5915): what stands before the private number …
const SEC1_HEAD: &[u8] = &[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
/// … and between it and the public point.
const SEC1_MIDDLE: &[u8] =
    &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00];
/// The same key as PKCS#8 (RFC 5958), which signers want.
const PKCS8_HEAD: &[u8] = &[
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01,
    0x04, 0x20,
];
const PKCS8_MIDDLE: &[u8] = &[0xa1, 0x44, 0x03, 0x42, 0x00];
/// PKCS#8 around an Ed25519 seed (RFC 8410).
const ED25519_HEAD: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The number and the point between the given pieces of DER.
fn between<'d>(der: &'d [u8], head: &[u8], middle: &[u8]) -> Option<(&'d [u8], &'d [u8])> {
    let (number, rest) = der.strip_prefix(head)?.split_at_checked(32)?;
    let point = rest.strip_prefix(middle)?;
    (point.len() == 65).then_some((number, point))
}

/// A new P-256 key as the original writes it: `EC PRIVATE KEY`.
fn ecdsa_key() -> Result<String, FuncError> {
    let failed = || FuncError::new("failed to generate private key");
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
        .map_err(|_| failed())?;
    let (number, point) = between(document.as_ref(), PKCS8_HEAD, PKCS8_MIDDLE).ok_or_else(failed)?;
    let der = Zeroizing::new([SEC1_HEAD, number, SEC1_MIDDLE, point].concat());
    Ok(pem("EC PRIVATE KEY", &der))
}

fn private_key(ctx: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    ctx.labour(KEY_STEPS)?;
    match args.bytes(0) {
        b"ecdsa" => Ok(Value::text(ecdsa_key()?)),
        b"ed25519" => {
            let mut seed = Zeroizing::new([0; 32]);
            ctx.host.random(seed.as_mut()).map_err(FuncError::new)?;
            let der = Zeroizing::new([ED25519_HEAD, seed.as_ref()].concat());
            Ok(Value::text(pem("PRIVATE KEY", &der)))
        }
        b"" | b"rsa" | b"dsa" => {
            Err(FuncError::new("RSA and DSA keys cannot be made here: use \"ecdsa\" or \"ed25519\""))
        }
        other => Ok(Value::text([b"Unknown type ", other].concat())),
    }
}

/// The key of a PEM text, ready to sign.
fn signer(text: &str) -> Result<KeyPair, FuncError> {
    let refuse = |words: &str| FuncError::new(format!("parsing private key: {words}"));
    let Some((label, der)) = pem_block(text) else { return Err(refuse("no PEM data in input")) };
    let text = match label {
        "PRIVATE KEY" => text.to_owned(),
        "EC PRIVATE KEY" => {
            let (number, point) = between(&der, SEC1_HEAD, SEC1_MIDDLE)
                .ok_or_else(|| refuse("only P-256 keys are supported"))?;
            pem("PRIVATE KEY", &Zeroizing::new([PKCS8_HEAD, number, PKCS8_MIDDLE, point].concat()))
        }
        "RSA PRIVATE KEY" | "DSA PRIVATE KEY" => {
            return Err(refuse("RSA and DSA keys are not supported here: use ECDSA or Ed25519"));
        }
        _ => return Err(refuse("no private key data in PEM block")),
    };
    KeyPair::from_pem(&text).map_err(|_| refuse("the key is damaged, or of a kind that is not supported"))
}

/// What a new certificate says.
struct Request {
    name: String,
    addresses: Vec<SanType>,
    days: i64,
}

impl Request {
    fn new(args: &Args, days: usize) -> Result<Self, FuncError> {
        Ok(Self { name: args.lossy(0).into_owned(), addresses: Vec::new(), days: args.int(days) })
    }

    /// Adds the addresses and names of the second and third argument.
    fn name(&mut self, args: &Args) -> Result<(), FuncError> {
        let no_ip = "error parsing ip: not an IP address in a string";
        for item in args.list(1).items() {
            let text = string(item, "error parsing ip")?;
            let address = text.as_str().and_then(|text| text.parse::<IpAddr>().ok());
            let address = address.ok_or_else(|| {
                let text = String::from_utf8_lossy(text.as_bytes());
                FuncError::quoting(format!("error parsing ip: {text}"), no_ip)
            })?;
            self.addresses.push(SanType::IpAddress(address));
        }
        for item in args.list(2).items() {
            let text = string(item, "error processing alternate dns name")?;
            let name = text.as_str().and_then(|text| text.to_owned().try_into().ok());
            let name = name
                .ok_or_else(|| FuncError::new("error processing alternate dns name: not an ASCII string"))?;
            self.addresses.push(SanType::DnsName(name));
        }
        Ok(())
    }

    fn params(&self, ctx: &mut Ctx<'_>) -> Result<CertificateParams, FuncError> {
        let mut serial = [0; 16];
        ctx.host.random(&mut serial).map_err(FuncError::new)?;
        // Serial numbers are positive.
        serial[0] &= 0x7f;
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.name.as_str());
        params.subject_alt_names.clone_from(&self.addresses);
        params.not_before = OffsetDateTime::from(ctx.host.now());
        let days = Duration::days(self.days.clamp(-36_500, 36_500));
        params.not_after = params
            .not_before
            .checked_add(days)
            .ok_or_else(|| FuncError::new("the certificate would be valid for too long"))?;
        params.key_usages = vec![KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.is_ca = IsCa::ExplicitNoCa;
        Ok(params)
    }

    fn authority(&self, ctx: &mut Ctx<'_>, key: &str) -> Result<Value, FuncError> {
        ctx.labour(CERTIFICATE_STEPS)?;
        let mut params = self.params(ctx)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let certificate = params.self_signed(&signer(key)?).map_err(|_| failed())?;
        Ok(pair(&certificate.pem(), key))
    }

    /// Signed by an authority, or by itself.
    fn signed(
        mut self,
        ctx: &mut Ctx<'_>,
        args: &Args,
        key: &str,
        authority: Option<&Value>,
    ) -> Result<Value, FuncError> {
        ctx.labour(CERTIFICATE_STEPS)?;
        let signee = signer(key)?;
        let Some(authority) = authority else {
            self.name(args)?;
            let certificate = self.params(ctx)?.self_signed(&signee).map_err(|_| failed())?;
            return Ok(pair(&certificate.pem(), key));
        };
        let field = |name: &str| match authority {
            Value::Object(object) => object.field(name).and_then(Value::as_text).cloned(),
            _ => None,
        };
        let (certificate, own) = field("Cert").zip(field("Key")).ok_or_else(failed)?;
        let own = signer(&String::from_utf8_lossy(own.as_bytes()))?;
        let issuer = Issuer::from_ca_cert_pem(&String::from_utf8_lossy(certificate.as_bytes()), own)
            .map_err(|_| FuncError::new("unable to decode certificate"))?;
        self.name(args)?;
        let params = self.params(ctx)?;
        Ok(pair(&params.signed_by(&signee, &issuer).map_err(|_| failed())?.pem(), key))
    }
}

/// The text of an item of a list.
fn string<'i>(item: &'i Value, what: &str) -> Result<&'i Text, FuncError> {
    match item {
        Value::String(text) => Ok(text),
        other => {
            let shown = print::sprint(std::slice::from_ref(other))?;
            let shown = String::from_utf8_lossy(shown.as_bytes());
            let (go, ours) = (format!("{what}: {shown} is not a string"), format!("{what}: not a string"));
            Err(FuncError::quoting(go, ours))
        }
    }
}

fn failed() -> FuncError {
    FuncError::new("error creating certificate")
}

fn custom(_: &mut Ctx<'_>, args: Args) -> Result<Value, FuncError> {
    let decode = |at: usize, what: &str| {
        let bytes = decode64(args.bytes(at), Alphabet::Standard);
        bytes
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| FuncError::new(format!("unable to decode base64 {what}")))
    };
    let certificate = decode(0, "certificate")?;
    let key = decode(1, "private key")?;
    let Some((_, der)) = pem_block(&certificate) else {
        return Err(FuncError::new("unable to decode certificate"));
    };
    if x509_parser::parse_x509_certificate(&der).is_err() {
        return Err(FuncError::new("error parsing certificate: decodedCert.Bytes: not an X.509 certificate"));
    }
    if pem_block(&key).is_none_or(|(label, _)| !label.ends_with("PRIVATE KEY")) {
        return Err(FuncError::new("error parsing private key: no PEM data in input"));
    }
    Ok(pair(&certificate, &key))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, text};
    use super::*;

    fn fields(value: &Value) -> (String, String) {
        let Value::Object(object) = value else { panic!("{}", value.type_name()) };
        let text = |name| {
            let field = object.field(name).and_then(Value::as_text).unwrap();
            String::from_utf8(field.as_bytes().to_vec()).unwrap()
        };
        (text("Cert"), text("Key"))
    }

    #[test]
    fn keys_have_the_originals_form_and_can_sign() {
        for (kind, label) in [("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY")] {
            let key = text("sprig_genPrivateKey", vec![Value::text(kind)]);
            assert!(key.starts_with(&format!("-----BEGIN {label}-----\n")), "{kind}");
            assert!(signer(&key).is_ok(), "{kind}");
        }
        for kind in ["", "rsa", "dsa"] {
            assert!(fails("sprig_genPrivateKey", vec![Value::text(kind)]).contains("ecdsa"));
        }
        assert_eq!(text("sprig_genPrivateKey", vec![Value::text("x")]), "Unknown type x");
    }

    #[test]
    fn an_authority_signs_certificates() {
        let authority = call("sprig_genCA", vec![Value::text("ca"), Value::Int(10)]).unwrap();
        let names = || {
            vec![
                Value::text("leaf"),
                Value::strings(["10.0.0.1"]),
                Value::strings(["a.example"]),
                Value::Int(5),
            ]
        };
        let leaf = call("sprig_genSignedCert", [names(), vec![authority.clone()]].concat()).unwrap();
        let ((ca, _), (leaf, key)) = (fields(&authority), fields(&leaf));
        let (_, ca_der) = pem_block(&ca).unwrap();
        let (_, ca) = x509_parser::parse_x509_certificate(&ca_der).unwrap();
        let (_, der) = pem_block(&leaf).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert!(ca.is_ca() && !certificate.is_ca());
        assert_eq!(certificate.issuer().to_string(), "CN=ca");
        assert_eq!(certificate.subject().to_string(), "CN=leaf");
        let days =
            certificate.validity().not_after.timestamp() - certificate.validity().not_before.timestamp();
        assert_eq!(days, 5 * 86_400);
        assert_eq!(certificate.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 2);
        let encoded = [&leaf, &key].map(|text| Value::text(STANDARD.encode(text)));
        assert!(call("sprig_buildCustomCert", encoded.to_vec()).is_ok());
        assert!(call("sprig_genSelfSignedCert", names()).is_ok());
    }

    #[test]
    fn bad_input_is_named() {
        let args =
            |ip: Value| vec![Value::text("x"), Value::anys(vec![ip]), Value::anys(vec![]), Value::Int(1)];
        assert!(fails("sprig_genSelfSignedCert", args(Value::text("1.2.3"))).starts_with("error parsing ip"));
        assert!(fails("sprig_genSelfSignedCert", args(Value::Int(1))).starts_with("error parsing ip"));
        let with_key = vec![Value::text("x"), Value::Int(i64::MAX), Value::text("no key")];
        assert_eq!(fails("sprig_genCAWithKey", with_key), "parsing private key: no PEM data in input");
        assert!(call("sprig_genCA", vec![Value::text("x"), Value::Int(i64::MAX)]).is_ok());
        assert_eq!(
            fails("sprig_buildCustomCert", vec![Value::text("!"), Value::text("")]),
            "unable to decode base64 certificate"
        );
    }
}
