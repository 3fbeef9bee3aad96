//! SCRAM, on the side of the server (RFC 5802, RFC 7677).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::{digest, hmac, pbkdf2, rand};

pub(crate) const MIN_ITERATIONS: u32 = 4096;
pub(crate) const MAX_ITERATIONS: u32 = 16_384;

/// The two mechanisms; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mechanism {
    Sha256 = 1,
    Sha512 = 2,
}

impl Mechanism {
    /// The mechanism with a number of the protocol.
    pub(crate) fn of(number: i8) -> Option<Mechanism> {
        [Mechanism::Sha256, Mechanism::Sha512].into_iter().find(|mechanism| *mechanism as i8 == number)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mechanism::Sha256 => "SCRAM-SHA-256",
            Mechanism::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Mechanism::Sha256 => &digest::SHA256,
            Mechanism::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Mechanism::Sha256 => hmac::HMAC_SHA256,
            Mechanism::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text).as_ref().to_vec()
    }

    fn hash(self, text: &[u8]) -> Vec<u8> {
        digest::digest(self.digest(), text).as_ref().to_vec()
    }

    /// Bytes of a key.
    pub(crate) fn key_len(self) -> usize {
        self.digest().output_len()
    }
}

/// What the server has of a password.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    salt: Vec<u8>,
    pub iterations: u32,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Credential {
    /// That of a password, with a salt of its own. None when there is no randomness to be had.
    pub(crate) fn of_password(mechanism: Mechanism, password: &str) -> Option<Credential> {
        let mut salt = vec![0; 20];
        rand::SystemRandom::new().fill(&mut salt).ok()?;
        let algorithm = match mechanism {
            Mechanism::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Mechanism::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; mechanism.key_len()];
        let iterations = std::num::NonZeroU32::new(MIN_ITERATIONS)?;
        pbkdf2::derive(algorithm, iterations, &salt, password.as_bytes(), &mut salted);
        Some(Credential::of_salted(mechanism, salt, MIN_ITERATIONS, &salted))
    }

    /// That of a password to which its salt has been added elsewhere.
    pub(crate) fn of_salted(mechanism: Mechanism, salt: Vec<u8>, iterations: u32, salted: &[u8]) -> Credential {
        let stored_key = mechanism.hash(&mechanism.hmac(salted, b"Client Key"));
        let server_key = mechanism.hmac(salted, b"Server Key");
        Credential { salt, iterations, stored_key, server_key }
    }
}

/// The first message of a client.
#[derive(Debug)]
pub(crate) struct First {
    pub user: String,
    /// The user that is to be acted as; empty for the same.
    pub acts_as: String,
    nonce: String,
    /// What the second message has to repeat in base64.
    header: String,
    bare: String,
}

impl First {
    /// Reads it: `n,[a=name],n=name,r=nonce[,more]`.
    pub(crate) fn read(token: &[u8]) -> Option<First> {
        let text = std::str::from_utf8(token).ok()?;
        let mut parts = text.splitn(3, ',');
        let (binding, acts_as, bare) = (parts.next()?, parts.next()?, parts.next()?);
        if binding != "n" {
            return None;
        }
        let mut attributes = bare.split(',');
        let user = attributes.next()?.strip_prefix("n=")?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| !nonce.is_empty())?;
        Some(First {
            user: name(user)?,
            acts_as: if acts_as.is_empty() { String::new() } else { name(acts_as.strip_prefix("a=")?)? },
            nonce: nonce.to_owned(),
            header: format!("{binding},{acts_as},"),
            bare: bare.to_owned(),
        })
    }
}

/// A name, in which a comma is `=2C` and an equals sign `=3D`.
fn name(text: &str) -> Option<String> {
    let name = text.replace("=2C", ",").replace("=3D", "=");
    let escapes = text.matches("=2C").count() + text.matches("=3D").count();
    (text.matches('=').count() == escapes).then_some(name)
}

/// An exchange in which the server's first message has been sent.
#[derive(Debug)]
pub(crate) struct Exchange {
    mechanism: Mechanism,
    credential: Credential,
    header: String,
    nonce: String,
    /// The first messages of both.
    so_far: String,
}

impl Exchange {
    /// Begins, with the server's first message. None when there is no randomness to be had.
    pub(crate) fn begin(mechanism: Mechanism, first: First, credential: Credential) -> Option<(Exchange, String)> {
        let mut random = [0; 18];
        rand::SystemRandom::new().fill(&mut random).ok()?;
        // Base64 has no comma.
        let nonce = format!("{}{}", first.nonce, STANDARD.encode(random));
        let salt = STANDARD.encode(&credential.salt);
        let message = format!("r={nonce},s={salt},i={}", credential.iterations);
        let so_far = format!("{},{message}", first.bare);
        Some((Exchange { mechanism, credential, header: first.header, nonce, so_far }, message))
    }

    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The server's last message, when the client's proves that it knows the password.
    pub(crate) fn finish(&self, token: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(token).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if nonce != self.nonce || STANDARD.decode(binding).ok()? != self.header.as_bytes() {
            return None;
        }
        let proof = STANDARD.decode(proof).ok()?;
        let message = format!("{},{without_proof}", self.so_far);
        let signature = self.mechanism.hmac(&self.credential.stored_key, message.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let key: Vec<u8> = proof.iter().zip(&signature).map(|(proof, signature)| proof ^ signature).collect();
        if self.mechanism.hash(&key) != self.credential.stored_key {
            return None;
        }
        let signature = self.mechanism.hmac(&self.credential.server_key, message.as_bytes());
        Some(format!("v={}", STANDARD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677's example, in which the server's part of the nonce is given.
    #[test]
    fn the_example_of_the_rfc() {
        let first = First::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert!(first.user == "user" && first.acts_as.is_empty());
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut salted = vec![0; 32];
        let iterations = std::num::NonZeroU32::new(4096).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, b"pencil", &mut salted);
        let credential = Credential::of_salted(Mechanism::Sha256, salt, 4096, &salted);
        let (mut exchange, message) = Exchange::begin(Mechanism::Sha256, first, credential).unwrap();
        assert!(
            message.starts_with("r=rOprNGfwEbeRWgbNEkqO") && message.ends_with(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        );
        exchange.nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        exchange.so_far =
            format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", exchange.nonce);
        let last = |proof: &str| format!("c=biws,r={},p={proof}", exchange.nonce);
        let answer = exchange.finish(last("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").as_bytes());
        assert_eq!(answer.unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(exchange.finish(last("eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").as_bytes()).is_none());
    }

    #[test]
    fn first_messages_that_are_none() {
        assert_eq!(First::read(b"n,a=x,n=a=2Cb=3D,r=1,t=0").unwrap().user, "a,b=");
        for bad in ["", "n,,", "y,,n=a,r=1", "p=x,,n=a,r=1", "n,,r=1,n=a", "n,,n=a,r=", "n,,n=a=b,r=1", "n,b,n=a,r=1"] {
            assert!(First::read(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
