//! The cryptography behind `jsonwebtoken`, done by ring: the crate brings none of its own that has no advisory.
//!
//! Algorithms: HS256/384/512, RS256/384/512, PS256/384/512, ES256/384, EdDSA (RFC 7518 section 3, RFC 8037).

use std::sync::Once;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature::{Error as SignatureError, Signer, Verifier},
};
use ring::{hmac, rand::SystemRandom, signature as ring_signature};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: new_signer,
    verifier_factory: new_verifier,
    // Only used to print keys as JWKs, which nothing here does.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ring the process's JWT cryptography. Call it before `encode` or `decode`; further calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Refused only if another provider was installed first, which then does the same work.
        let _ = PROVIDER.install_default();
    });
}

struct RingSigner {
    algorithm: Algorithm,
    key: SigningKey,
}

enum SigningKey {
    Hmac(hmac::Key),
    Rsa(Box<ring_signature::RsaKeyPair>, &'static dyn ring_signature::RsaEncoding),
    Ec(ring_signature::EcdsaKeyPair),
    Ed(ring_signature::Ed25519KeyPair),
}

fn new_signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    same_family(*algorithm, key.family())?;
    let bytes = key.as_bytes();
    let random = SystemRandom::new();
    let key = match algorithm {
        Algorithm::HS256 => SigningKey::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes)),
        Algorithm::HS384 => SigningKey::Hmac(hmac::Key::new(hmac::HMAC_SHA384, bytes)),
        Algorithm::HS512 => SigningKey::Hmac(hmac::Key::new(hmac::HMAC_SHA512, bytes)),
        Algorithm::RS256 => rsa_signer(bytes, &ring_signature::RSA_PKCS1_SHA256)?,
        Algorithm::RS384 => rsa_signer(bytes, &ring_signature::RSA_PKCS1_SHA384)?,
        Algorithm::RS512 => rsa_signer(bytes, &ring_signature::RSA_PKCS1_SHA512)?,
        Algorithm::PS256 => rsa_signer(bytes, &ring_signature::RSA_PSS_SHA256)?,
        Algorithm::PS384 => rsa_signer(bytes, &ring_signature::RSA_PSS_SHA384)?,
        Algorithm::PS512 => rsa_signer(bytes, &ring_signature::RSA_PSS_SHA512)?,
        Algorithm::ES256 => ec_signer(bytes, &ring_signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random)?,
        Algorithm::ES384 => ec_signer(bytes, &ring_signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random)?,
        Algorithm::EdDSA => SigningKey::Ed(
            ring_signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes)
                .map_err(|_| ErrorKind::InvalidEddsaKey)?,
        ),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(Box::new(RingSigner { algorithm: *algorithm, key }))
}

fn rsa_signer(der: &[u8], padding: &'static dyn ring_signature::RsaEncoding) -> Result<SigningKey, Error> {
    let pair = ring_signature::RsaKeyPair::from_der(der)
        .map_err(|error| ErrorKind::InvalidRsaKey(error.to_string()))?;
    Ok(SigningKey::Rsa(Box::new(pair), padding))
}

fn ec_signer(
    pkcs8: &[u8],
    algorithm: &'static ring_signature::EcdsaSigningAlgorithm,
    random: &SystemRandom,
) -> Result<SigningKey, Error> {
    let pair = ring_signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, random)
        .map_err(|_| ErrorKind::InvalidEcdsaKey)?;
    Ok(SigningKey::Ec(pair))
}

fn same_family(algorithm: Algorithm, family: AlgorithmFamily) -> Result<(), Error> {
    if algorithm.family() == family { Ok(()) } else { Err(ErrorKind::InvalidKeyFormat.into()) }
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let random = SystemRandom::new();
        match &self.key {
            SigningKey::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            SigningKey::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*padding, &random, message, &mut signature).map_err(|_| SignatureError::new())?;
                Ok(signature)
            }
            SigningKey::Ec(pair) => {
                Ok(pair.sign(&random, message).map_err(|_| SignatureError::new())?.as_ref().to_vec())
            }
            SigningKey::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn new_verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    same_family(*algorithm, key.family())?;
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.clone() }))
}

impl RingVerifier {
    fn hmac(&self, hash: hmac::Algorithm, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let secret = self.key.try_get_as_bytes().map_err(|_| SignatureError::new())?;
        hmac::verify(&hmac::Key::new(hash, secret), message, signature).map_err(|_| SignatureError::new())
    }

    fn rsa(
        &self,
        parameters: &'static ring_signature::RsaParameters,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        match self.key.kind() {
            DecodingKeyKind::SecretOrDer(der) => {
                ring_signature::UnparsedPublicKey::new(parameters, der).verify(message, signature)
            }
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                ring_signature::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
        }
        .map_err(|_| SignatureError::new())
    }

    fn curve(
        &self,
        curve: &'static dyn ring_signature::VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let key = self.key.try_get_as_bytes().map_err(|_| SignatureError::new())?;
        ring_signature::UnparsedPublicKey::new(curve, key)
            .verify(message, signature)
            .map_err(|_| SignatureError::new())
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        match self.algorithm {
            Algorithm::HS256 => self.hmac(hmac::HMAC_SHA256, message, signature),
            Algorithm::HS384 => self.hmac(hmac::HMAC_SHA384, message, signature),
            Algorithm::HS512 => self.hmac(hmac::HMAC_SHA512, message, signature),
            Algorithm::RS256 => self.rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256, message, signature),
            Algorithm::RS384 => self.rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA384, message, signature),
            Algorithm::RS512 => self.rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA512, message, signature),
            Algorithm::PS256 => self.rsa(&ring_signature::RSA_PSS_2048_8192_SHA256, message, signature),
            Algorithm::PS384 => self.rsa(&ring_signature::RSA_PSS_2048_8192_SHA384, message, signature),
            Algorithm::PS512 => self.rsa(&ring_signature::RSA_PSS_2048_8192_SHA512, message, signature),
            Algorithm::ES256 => self.curve(&ring_signature::ECDSA_P256_SHA256_FIXED, message, signature),
            Algorithm::ES384 => self.curve(&ring_signature::ECDSA_P384_SHA384_FIXED, message, signature),
            Algorithm::EdDSA => self.curve(&ring_signature::ED25519, message, signature),
            _ => Err(SignatureError::new()),
        }
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Header, Validation, decode, encode};
    use ring::signature::KeyPair;
    use serde_json::{Value, json};

    use super::*;

    fn round_trip(algorithm: Algorithm, signing: &EncodingKey, verifying: &DecodingKey) {
        install();
        let claims = json!({"sub": "pod", "exp": 4_102_444_800_u64});
        let token = encode(&Header::new(algorithm), &claims, signing).unwrap();
        let back = decode::<Value>(&token, verifying, &Validation::new(algorithm)).unwrap();
        assert_eq!(back.claims["sub"], "pod");

        let (rest, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = rest.split_once('.').unwrap();
        // {"sub":"root","exp":4102444800}
        let forged = format!("{header}.eyJzdWIiOiJyb290IiwiZXhwIjo0MTAyNDQ0ODAwfQ.{signature}");
        let error = decode::<Value>(&forged, verifying, &Validation::new(algorithm)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidSignature), "{error:?}");
    }

    #[test]
    fn hmac_signs_and_refuses_forgery() {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            round_trip(algorithm, &EncodingKey::from_secret(b"k"), &DecodingKey::from_secret(b"k"));
        }
    }

    #[test]
    fn elliptic_curves_sign_and_refuse_forgery() {
        let random = SystemRandom::new();
        for (algorithm, curve) in [
            (Algorithm::ES256, &ring_signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            (Algorithm::ES384, &ring_signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        ] {
            let pkcs8 = ring_signature::EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
            let pair = ring_signature::EcdsaKeyPair::from_pkcs8(curve, pkcs8.as_ref(), &random).unwrap();
            let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
            round_trip(algorithm, &EncodingKey::from_ec_der(pkcs8.as_ref()), &public);
        }
        let pkcs8 = ring_signature::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = ring_signature::Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
        round_trip(Algorithm::EdDSA, &EncodingKey::from_ed_der(pkcs8.as_ref()), &public);
    }

    #[test]
    fn rsa_verifies_a_token_signed_elsewhere() {
        install();
        let key = DecodingKey::from_rsa_pem(include_bytes!("jwt/rsa_public.pem")).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let token = include_str!("jwt/rs256.jwt").trim();
        assert_eq!(decode::<Value>(token, &key, &validation).unwrap().claims["sub"], "pod");
        let forged = token.replacen("eyJzdWIi", "eyJzdWIj", 1);
        assert_ne!(forged, token);
        assert!(decode::<Value>(&forged, &key, &validation).is_err());
    }

    #[test]
    fn a_key_of_another_family_is_refused() {
        install();
        let error = encode(&Header::new(Algorithm::ES256), &json!({}), &EncodingKey::from_secret(b"k"));
        assert!(error.is_err());
    }
}
