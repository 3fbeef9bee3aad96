//! Certificates (RFC 5280) of an authority that lasts as long as the broker.

use std::net::IpAddr;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::der::{bits, element, integer, octets, oid, sequence, time};

const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

const DAY: i64 = 86_400;

/// A key, and its certificate.
pub(super) struct Identity {
    key: EcdsaKeyPair,
    /// PKCS #8.
    pub private: Vec<u8>,
    pub certificate: Vec<u8>,
}

/// What a certificate is for.
pub(super) enum Purpose<'a> {
    Authority,
    /// A server with these names and addresses.
    Server(&'a [String]),
    Client,
}

impl Identity {
    /// Makes one, signed by `by` or, if that is none, by itself. None when there is no randomness to be had.
    pub(super) fn new(name: &str, purpose: &Purpose<'_>, by: Option<(&Identity, &str)>, now: i64) -> Option<Identity> {
        let random = SystemRandom::new();
        let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).ok()?;
        let private = private.as_ref().to_vec();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &private, &random).ok()?;
        let mut serial = [0; 16];
        random.fill(&mut serial).ok()?;
        let (issuer, issuer_name) = by.map_or((&key, name), |(identity, name)| (&identity.key, name));
        let algorithm = sequence(&[oid(ECDSA_WITH_SHA256)]);
        let body = sequence(&[
            element(0xa0, &integer(&[2])),
            integer(&serial),
            algorithm.clone(),
            common_name(issuer_name),
            sequence(&[time(now - DAY), time(now + 365 * DAY)]),
            common_name(name),
            public_key(&key),
            element(0xa3, &sequence(&extensions(purpose, &key, issuer))),
        ]);
        let signature = issuer.sign(&random, &body).ok()?;
        let certificate = sequence(&[body, algorithm, bits(0, signature.as_ref())]);
        Some(Identity { key, private, certificate })
    }
}

fn common_name(name: &str) -> Vec<u8> {
    let attribute = sequence(&[oid(COMMON_NAME), element(0x0c, name.as_bytes())]);
    sequence(&[element(0x31, &attribute)])
}

fn public_key(key: &EcdsaKeyPair) -> Vec<u8> {
    sequence(&[sequence(&[oid(EC_PUBLIC_KEY), oid(PRIME256V1)]), bits(0, key.public_key().as_ref())])
}

/// What a key is known by: a hash that need not be a safe one.
fn key_id(key: &EcdsaKeyPair) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, key.public_key().as_ref()).as_ref().to_vec()
}

fn extensions(purpose: &Purpose<'_>, key: &EcdsaKeyPair, issuer: &EcdsaKeyPair) -> Vec<Vec<u8>> {
    let plain = |id: &[u8], content: Vec<u8>| sequence(&[oid(id), octets(&content)]);
    let critical = |id: &[u8], content: Vec<u8>| sequence(&[oid(id), element(0x01, &[0xff]), octets(&content)]);
    let mut all = vec![
        plain(SUBJECT_KEY, octets(&key_id(key))),
        plain(AUTHORITY_KEY, sequence(&[element(0x80, &key_id(issuer))])),
    ];
    match purpose {
        Purpose::Authority => {
            all.push(critical(BASIC_CONSTRAINTS, sequence(&[element(0x01, &[0xff])])));
            // To sign certificates and lists of those that count no more.
            all.push(critical(KEY_USAGE, bits(1, &[0x06])));
            return all;
        }
        Purpose::Server(names) => {
            let names: Vec<Vec<u8>> = names.iter().map(|name| alternative(name)).collect();
            all.push(plain(ALTERNATIVE_NAMES, sequence(&names)));
            all.push(plain(EXTENDED_USAGE, sequence(&[oid(SERVER_AUTH)])));
        }
        Purpose::Client => all.push(plain(EXTENDED_USAGE, sequence(&[oid(CLIENT_AUTH)]))),
    }
    all.push(critical(BASIC_CONSTRAINTS, sequence(&[])));
    // To sign what is agreed on in a handshake.
    all.push(critical(KEY_USAGE, bits(7, &[0x80])));
    all
}

/// A name of a server, or its address.
fn alternative(name: &str) -> Vec<u8> {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => element(0x87, &address.octets()),
        Ok(IpAddr::V6(address)) => element(0x87, &address.octets()),
        Err(_) => element(0x82, name.as_bytes()),
    }
}
