//! Users, and what they log in with.

use std::collections::BTreeMap;

use super::scram::{Credential, Mechanism};

/// Most users; each takes a few hundred bytes.
const MOST: usize = 10_000;

/// One user.
#[derive(Debug, Default)]
struct User {
    /// For PLAIN, and for SCRAM where nothing else has been set.
    password: Option<String>,
    credentials: BTreeMap<Mechanism, Credential>,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(crate) struct Users {
    by_name: BTreeMap<String, User>,
}

impl Users {
    /// A user with a password, which is good for PLAIN and SCRAM.
    pub(crate) fn add(&mut self, name: &str, password: &str) {
        self.by_name.entry(name.to_owned()).or_default().password = Some(password.to_owned());
    }

    /// Whether this is the user's password.
    pub(crate) fn is_password(&self, name: &str, password: &str) -> bool {
        let known = self.by_name.get(name).and_then(|user| user.password.as_ref());
        known.is_some_and(|known| known == password)
    }

    /// What a user proves to know under SCRAM. From a password it is made when it is first asked for: that takes a
    /// while.
    pub(crate) fn credential(&mut self, name: &str, mechanism: Mechanism) -> Option<Credential> {
        let user = self.by_name.get_mut(name)?;
        if let Some(credential) = user.credentials.get(&mechanism) {
            return Some(credential.clone());
        }
        let credential = Credential::of_password(mechanism, user.password.as_ref()?)?;
        user.credentials.insert(mechanism, credential.clone());
        Some(credential)
    }

    /// The mechanisms of SCRAM that a user can log in with, and their iterations. None for nobody.
    pub(crate) fn mechanisms(&self, name: &str) -> Option<Vec<(Mechanism, u32)>> {
        let user = self.by_name.get(name)?;
        let iterations = |mechanism| match user.credentials.get(&mechanism) {
            Some(credential) => Some((mechanism, credential.iterations)),
            None => user.password.is_some().then_some((mechanism, super::scram::MIN_ITERATIONS)),
        };
        let all: Vec<_> = [Mechanism::Sha256, Mechanism::Sha512].into_iter().filter_map(iterations).collect();
        if all.is_empty() { None } else { Some(all) }
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }

    /// Sets what a user proves to know. False when there are too many users.
    pub(crate) fn set(&mut self, name: &str, mechanism: Mechanism, credential: Credential) -> bool {
        let fits = self.by_name.len() < MOST || self.by_name.contains_key(name);
        if fits {
            self.by_name.entry(name.to_owned()).or_default().credentials.insert(mechanism, credential);
        }
        fits
    }

    /// Takes that away. A password stays good for PLAIN, and for the other mechanism.
    pub(crate) fn unset(&mut self, name: &str, mechanism: Mechanism) {
        let Some(user) = self.by_name.get_mut(name) else { return };
        user.credentials.remove(&mechanism);
        if user.credentials.is_empty() && user.password.is_none() {
            self.by_name.remove(name);
        }
    }
}
