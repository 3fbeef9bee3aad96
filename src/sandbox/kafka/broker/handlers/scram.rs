//! DescribeUserScramCredentials and AlterUserScramCredentials (KIP-554).

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::scram::{Credential, MAX_ITERATIONS, MIN_ITERATIONS, Mechanism};
use super::super::auth::{Operation, Resource};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::configs::text;

pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeUserScramCredentialsRequest,
    _version: i16,
    _now: Now,
) -> DescribeUserScramCredentialsResponse {
    let answer = DescribeUserScramCredentialsResponse::default();
    if !broker.allowed(caller, Operation::Describe, Resource::Cluster) {
        let code = ResponseError::ClusterAuthorizationFailed.code();
        return answer.with_error_code(code).with_error_message(text("Cluster authorization failed."));
    }
    let users = &broker.security.users;
    let asked: Vec<String> = request.users.unwrap_or_default().iter().map(|user| user.name.to_string()).collect();
    let all = asked.is_empty();
    let names = if all { users.names() } else { asked };
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    twice.extend(names.iter().filter(|name| !seen.insert(name.as_str())).cloned());
    let results = seen.into_iter().filter_map(|name| {
        let result = DescribeUserScramCredentialsResult::default().with_user(StrBytes::from_string(name.to_owned()));
        if twice.contains(name) {
            let why = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
            let result = result.with_error_code(ResponseError::DuplicateResource.code());
            return Some(result.with_error_message(text(format!("{why}{name}"))));
        }
        match users.mechanisms(name) {
            Some(mechanisms) => {
                let infos = mechanisms.into_iter().map(|(mechanism, iterations)| {
                    let iterations = i32::try_from(iterations).unwrap_or(i32::MAX);
                    CredentialInfo::default().with_mechanism(mechanism as i8).with_iterations(iterations)
                });
                Some(result.with_credential_infos(infos.collect()))
            }
            None if all => None,
            None => {
                let why = "Attempt to describe a user credential that does not exist: ";
                let result = result.with_error_code(ResponseError::ResourceNotFound.code());
                Some(result.with_error_message(text(format!("{why}{name}"))))
            }
        }
    });
    answer.with_results(results.collect())
}

pub(crate) fn alter(
    broker: &mut Broker,
    caller: &Caller,
    request: AlterUserScramCredentialsRequest,
    _version: i16,
    _now: Now,
) -> AlterUserScramCredentialsResponse {
    let deletions = request.deletions.iter().map(|deletion| deletion.name.as_str());
    let changes = deletions.chain(request.upsertions.iter().map(|upsertion| upsertion.name.as_str()));
    let mut names = BTreeSet::new();
    // Not even with two mechanisms.
    let twice: BTreeSet<&str> = changes.filter(|name| !names.insert(*name)).collect();
    let results = names.into_iter().map(|name| {
        let done = if broker.allowed(caller, Operation::Alter, Resource::Cluster) {
            change(broker, &request, name, twice.contains(name))
        } else {
            Err((ResponseError::ClusterAuthorizationFailed, "Cluster authorization failed."))
        };
        let name = StrBytes::from_string(name.to_owned());
        let result = AlterUserScramCredentialsResult::default().with_user(name).with_error_message(None);
        match done {
            Ok(()) => result,
            Err((error, why)) => result.with_error_code(error.code()).with_error_message(text(why)),
        }
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}

/// Does all that a request wants for one user, or nothing.
fn change(
    broker: &mut Broker,
    request: &AlterUserScramCredentialsRequest,
    name: &str,
    twice: bool,
) -> Result<(), (ResponseError, &'static str)> {
    let unacceptable = |why| Err((ResponseError::UnacceptableCredential, why));
    let unknown = (ResponseError::UnsupportedSaslMechanism, "Unknown SCRAM mechanism");
    if name.is_empty() {
        return unacceptable("Username must not be empty");
    }
    if name.len() > 1024 {
        return unacceptable("Username must not be longer than 1024 bytes");
    }
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for deletion in request.deletions.iter().filter(|deletion| deletion.name.as_str() == name) {
        let mechanism = Mechanism::of(deletion.mechanism).ok_or(unknown)?;
        let has = broker.security.users.mechanisms(name).unwrap_or_default();
        if !has.iter().any(|(has, _)| *has == mechanism) {
            let why = "Attempt to delete a user credential that does not exist";
            return Err((ResponseError::ResourceNotFound, why));
        }
        gone.push(mechanism);
    }
    for upsertion in request.upsertions.iter().filter(|upsertion| upsertion.name.as_str() == name) {
        let mechanism = Mechanism::of(upsertion.mechanism).ok_or(unknown)?;
        let iterations = u32::try_from(upsertion.iterations).unwrap_or_default();
        if iterations < MIN_ITERATIONS {
            return unacceptable("Too few iterations");
        }
        if iterations > MAX_ITERATIONS {
            return unacceptable("Too many iterations");
        }
        if upsertion.salted_password.len() != mechanism.key_len() || upsertion.salt.len() > 1024 {
            return unacceptable("The salted password has not the length of its mechanism");
        }
        let salt = upsertion.salt.to_vec();
        new.push((mechanism, Credential::of_salted(mechanism, salt, iterations, &upsertion.salted_password)));
    }
    if twice {
        let why = "A user credential cannot be altered twice in the same request";
        return Err((ResponseError::DuplicateResource, why));
    }
    for mechanism in gone {
        broker.security.users.unset(name, mechanism);
    }
    for (mechanism, credential) in new {
        if !broker.security.users.set(name, mechanism, credential) {
            return Err((ResponseError::PolicyViolation, "There are too many users"));
        }
    }
    Ok(())
}
