//! The users that log in by SCRAM.

use std::ffi::{c_char, c_uint};
use std::ptr;

use rdkafka::bindings as rd;

use super::{Admin, AdminOutcome, Asking, Made, Said, each, name};
use crate::kafka::ffi::text;

// As rdkafka-sys declares it its value is an `enum`, and a broker of a later version may say what that has not.
unsafe extern "C" {
    #[link_name = "rd_kafka_ScramCredentialInfo_mechanism"]
    fn mechanism(of: *const rd::rd_kafka_ScramCredentialInfo_t) -> c_uint;
}

/// How a user logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scram {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// A user, or why nothing is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// Its name.
    pub name: String,
    /// For each mechanism that it has a password for (`None` for one that is not known here) the number of iterations.
    pub result: Result<Vec<(Option<Scram>, i32)>, Said>,
}

/// What is done about a user's password.
pub(crate) enum NewPassword<'a> {
    /// It gets this one, hashed so often.
    Set(&'a str, i32),
    /// It has none any more.
    Gone,
}

impl Scram {
    fn native(self) -> rd::rd_kafka_ScramMechanism_t {
        match self {
            Scram::Sha256 => rd::rd_kafka_ScramMechanism_t::RD_KAFKA_SCRAM_MECHANISM_SHA_256,
            Scram::Sha512 => rd::rd_kafka_ScramMechanism_t::RD_KAFKA_SCRAM_MECHANISM_SHA_512,
        }
    }

    /// By the number that the protocol has for it.
    fn numbered(number: c_uint) -> Option<Scram> {
        match number {
            1 => Some(Scram::Sha256),
            2 => Some(Scram::Sha512),
            _ => None,
        }
    }
}

impl Admin<'_> {
    /// Asks for users, for all of them if none is named.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn users(&self, names: &[String]) -> Result<Vec<User>, Said> {
        let names: Vec<_> = names.iter().map(|user| name(user)).collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let array = if pointers.is_empty() { ptr::null_mut() } else { pointers.as_mut_ptr() };
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEUSERSCRAMCREDENTIALS;
        let answer = self.wait(request, Asking::Plainly, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the names.
            unsafe { rd::rd_kafka_DescribeUserScramCredentials(client, array, names.len(), options, queue) }
        })?;
        if let Some(code) = answer.code() {
            // The words of this answer are on a stack that is gone, or static, and librdkafka 2.12 would free them with it.
            std::mem::forget(answer);
            return Err(Said::plain(code));
        }
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeUserScramCredentials_result(answer.pointer());
            each(|count| rd::rd_kafka_DescribeUserScramCredentials_result_descriptions(result, count), user)
        })
    }

    /// Sets or deletes passwords of one user; the outcome is one for all of them.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn alter_user(
        &self,
        user: &str,
        changes: &[(Scram, NewPassword<'_>)],
    ) -> Result<Vec<AdminOutcome>, Said> {
        let mut made = Made::none(rd::rd_kafka_UserScramCredentialAlteration_destroy);
        let title = name(user)?;
        for (scram, change) in changes {
            // SAFETY: librdkafka copies name and password, and makes a salt; `made` gives the object back.
            let alteration = unsafe {
                match change {
                    NewPassword::Set(password, iterations) => rd::rd_kafka_UserScramCredentialUpsertion_new(
                        title.as_ptr(),
                        scram.native(),
                        *iterations,
                        password.as_ptr(),
                        password.len(),
                        ptr::null(),
                        0,
                    ),
                    NewPassword::Gone => rd::rd_kafka_UserScramCredentialDeletion_new(title.as_ptr(), scram.native()),
                }
            };
            made.push(alteration, || super::Reason::default().said())?;
        }
        let (array, count) = made.array();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERUSERSCRAMCREDENTIALS;
        let answer = self.ask(request, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the changes.
            unsafe { rd::rd_kafka_AlterUserScramCredentials(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_AlterUserScramCredentials_result(answer.pointer());
            each(|count| rd::rd_kafka_AlterUserScramCredentials_result_responses(result, count), outcome)
        })
    }
}

fn user(of: *const rd::rd_kafka_UserScramCredentialsDescription_t) -> User {
    // SAFETY: called by `each` for what lives; its credentials are as many as it says.
    unsafe {
        let said = Said::of_error(rd::rd_kafka_UserScramCredentialsDescription_error(of));
        let count = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo_count(of);
        let all = (0..count).map(|at| {
            let info = rd::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo(of, at);
            (Scram::numbered(mechanism(info)), rd::rd_kafka_ScramCredentialInfo_iterations(info))
        });
        let all = all.collect();
        User { name: text(rd::rd_kafka_UserScramCredentialsDescription_user(of)), result: said.map_or(Ok(all), Err) }
    }
}

fn outcome(of: *const rd::rd_kafka_AlterUserScramCredentials_result_response_t) -> AdminOutcome {
    // SAFETY: called by `each` for what lives.
    unsafe {
        let said = Said::of_error(rd::rd_kafka_AlterUserScramCredentials_result_response_error(of));
        let name = text(rd::rd_kafka_AlterUserScramCredentials_result_response_user(of));
        AdminOutcome { name, result: said.map_or(Ok(()), Err) }
    }
}
