//! The admin requests: one way to ask, and to read what the broker says in its own words. rdkafka's `AdminClient` keeps only
//! the code of an error, needs a connection of its own, and has a third of the requests.
//!
//! A request is a type of its own beside its answer (`topics`, `configs`): objects made for librdkafka ([`Made`]), one call
//! through [`Admin::ask`], and the answer's list read with [`each`]. Nothing else of it is unsafe to get wrong.

mod acls;
mod cluster;
mod configs;
mod groups;
mod offsets;
mod records;
mod topics;
mod users;

use std::cell::Cell;
use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

pub(crate) use self::acls::{Acl, NameIs, Operation, Permission, Resource};
pub(crate) use self::cluster::{Cluster, Node};
pub(crate) use self::configs::{Alteration, Change, Owner, SetBy, Setting};
pub(crate) use self::groups::{Coordinator, GroupDescription, GroupKind, GroupListing, GroupMember, GroupState};
pub(crate) use self::offsets::{Committed, NewOffset, OffsetOutcome};
pub(crate) use self::topics::{NewPartitions, NewTopic};
pub(crate) use self::users::{NewPassword, Scram, User};
use super::event::Event;
use super::said::Said;
use super::{last_error, millis, text};

/// How often somebody who waits for an answer is asked whether to go on.
const SLICE: Duration = Duration::from_millis(20);

/// So much later than its own limit an answer is not waited for any more: librdkafka always gives one.
const LATE: Duration = Duration::from_secs(1);

/// librdkafka itself never has less time than this. Some requests are begun on the thread that asks, and a time that ends
/// meanwhile lets librdkafka's own thread free what that one reads (2.12.1); whoever waits here stops in time all the same.
const LEAST: Duration = Duration::from_secs(5);

/// How many requests of one kind are under way at once.
const AT_ONCE: usize = 64;

/// What became of one of the things that a request named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminOutcome {
    /// Its name.
    pub name: String,
    /// Done, or why not.
    pub result: Result<(), Said>,
}

/// Asks the brokers of a client, of whatever kind that is: no connection is made for it.
pub(crate) struct Admin<'c> {
    client: *mut rd::rd_kafka_t,
    answers: NonNull<rd::rd_kafka_queue_t>,
    limit: Duration,
    /// Called while an answer is waited for; false gives it up.
    go_on: &'c dyn Fn() -> bool,
    /// How many requests were sent. Each carries its number, so that an answer to one that was given up is nobody's.
    sent: Cell<usize>,
    lives: PhantomData<&'c ()>,
}

impl<'c> Admin<'c> {
    /// Each request may take as long as `limit`. `go_on` is asked now and then whether to wait any longer.
    ///
    /// # Errors
    /// librdkafka has no memory.
    pub(crate) fn of<C: ClientContext>(
        client: &'c Client<C>,
        limit: Duration,
        go_on: &'c dyn Fn() -> bool,
    ) -> Result<Admin<'c>, Said> {
        let client = client.native_ptr();
        // SAFETY: the client lives for `'c`; the queue is destroyed in `drop`.
        let answers =
            NonNull::new(unsafe { rd::rd_kafka_queue_new(client) }).ok_or_else(|| Said::plain(last_error()))?;
        Ok(Admin { client, answers, limit, go_on, sent: Cell::new(0), lives: PhantomData })
    }

    /// Sends one request, and waits for its answer.
    ///
    /// # Errors
    /// The request as a whole failed: no broker answered in time, or librdkafka found something wrong in it.
    fn ask(
        &self,
        request: rd::rd_kafka_admin_op_t,
        send: impl FnOnce(*mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, Said> {
        self.ask_for(request, Asking::Plainly, send)
    }

    /// As [`Admin::ask`], with what is asked for beside.
    fn ask_for(
        &self,
        request: rd::rd_kafka_admin_op_t,
        asking: Asking,
        send: impl FnOnce(*mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, Said> {
        let event = self.wait(request, asking, send)?;
        event.failure().map_or(Ok(event), Err)
    }

    /// As [`Admin::ask_for`], without a look at what the answer is.
    fn wait(
        &self,
        request: rd::rd_kafka_admin_op_t,
        asking: Asking,
        send: impl FnOnce(*mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, Said> {
        let options = self.options(request)?;
        asking.set(options.first())?;
        let mut send = Some(send);
        let mut answers = self.send_each(&options, 1, |_, client, options, queue| {
            if let Some(send) = send.take() {
                send(client, options, queue);
            }
        })?;
        answers.pop().ok_or_else(|| Said::plain(RDKafkaErrorCode::Fail))
    }

    /// Sends so many requests of one kind, [`AT_ONCE`] at a time, and waits for the answers: one for each, in the order of the
    /// requests. `send` is told which one it is to send.
    ///
    /// # Errors
    /// Answers did not come, or nobody waits for them any more.
    fn ask_each(
        &self,
        request: rd::rd_kafka_admin_op_t,
        count: usize,
        send: impl FnMut(usize, *mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Vec<Result<Event, Said>>, Said> {
        let answers = self.send_each(&self.options(request)?, count, send)?;
        Ok(answers.into_iter().map(|event| event.failure().map_or(Ok(event), Err)).collect())
    }

    /// What each request of a kind is sent with.
    fn options(&self, request: rd::rd_kafka_admin_op_t) -> Result<Made<rd::rd_kafka_AdminOptions_t>, Said> {
        // SAFETY: the client lives; `Made` gives the options back.
        let options = unsafe { rd::rd_kafka_AdminOptions_new(self.client, request) };
        let options = Made::one(options, rd::rd_kafka_AdminOptions_destroy)?;
        let limit = millis(self.limit.max(LEAST));
        let mut reason = Reason::default();
        // SAFETY: the options live. A request that has no use for one of the two says so, which changes nothing.
        unsafe {
            rd::rd_kafka_AdminOptions_set_request_timeout(options.first(), limit, reason.room(), reason.len());
            rd::rd_kafka_AdminOptions_set_operation_timeout(options.first(), limit, reason.room(), reason.len());
        }
        Ok(options)
    }

    fn send_each(
        &self,
        options: &Made<rd::rd_kafka_AdminOptions_t>,
        count: usize,
        mut send: impl FnMut(usize, *mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Vec<Event>, Said> {
        let patience = if self.limit < LEAST { self.limit } else { self.limit + LATE };
        // Never 0, which is what an event has that answers nothing.
        let first = self.sent.get() + 1;
        let mut answers: Vec<Option<Event>> = (0..count).map(|_| None).collect();
        let (mut sent, mut answered, mut latest) = (0, 0, Instant::now());
        while answered < count {
            while sent < count && sent - answered < AT_ONCE {
                // SAFETY: the options live. The number is never read as an address.
                unsafe {
                    let number = ptr::without_provenance_mut(first + sent);
                    rd::rd_kafka_AdminOptions_set_opaque(options.first(), number);
                }
                send(sent, self.client, options.first(), self.answers.as_ptr());
                sent += 1;
                self.sent.set(self.sent.get() + 1);
            }
            // SAFETY: the queue lives.
            let event = unsafe { Event::next(self.answers, SLICE) };
            if !(self.go_on)() {
                return Err(Said::plain(RDKafkaErrorCode::Interrupted));
            }
            let Some(event) = event else {
                if latest.elapsed() > patience {
                    return Err(Said::plain(RDKafkaErrorCode::OperationTimedOut));
                }
                continue;
            };
            let at = event.number().checked_sub(first);
            if let Some(answer @ None) = at.and_then(|at| answers.get_mut(at)) {
                *answer = Some(event);
                (answered, latest) = (answered + 1, Instant::now());
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// What is asked for beside the request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// Nothing.
    Plainly,
    /// What the broker would do; it does nothing.
    Check,
    /// What the user may do.
    Rights,
}

impl Asking {
    fn set(self, options: *mut rd::rd_kafka_AdminOptions_t) -> Result<(), Said> {
        let mut reason = Reason::default();
        // SAFETY: the options live; the error is ours.
        unsafe {
            match self {
                Asking::Plainly => Ok(()),
                Asking::Check => {
                    match rd::rd_kafka_AdminOptions_set_validate_only(options, 1, reason.room(), reason.len()) {
                        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
                        // What cannot be left at a check must not be done.
                        _ => Err(reason.said()),
                    }
                }
                Asking::Rights => taken(rd::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1)),
            }
        }
    }
}

/// Takes an error that is the caller's.
///
/// SAFETY: it is null or lives, and nobody else destroys it.
unsafe fn taken(error: *mut rd::rd_kafka_error_t) -> Result<(), Said> {
    // SAFETY: the caller's promise.
    unsafe {
        let said = Said::of_error(error);
        if !error.is_null() {
            rd::rd_kafka_error_destroy(error);
        }
        said.map_or(Ok(()), Err)
    }
}

impl Drop for Admin<'_> {
    fn drop(&mut self) {
        // SAFETY: the queue is ours; a request that is still under way holds it, too.
        unsafe { rd::rd_kafka_queue_destroy(self.answers.as_ptr()) }
    }
}

/// Objects of one kind that were made for a request, and are given back after it.
struct Made<T> {
    all: Vec<*mut T>,
    give_back: unsafe extern "C" fn(*mut T),
}

impl<T> Made<T> {
    fn none(give_back: unsafe extern "C" fn(*mut T)) -> Made<T> {
        Made { all: Vec::new(), give_back }
    }

    fn one(object: *mut T, give_back: unsafe extern "C" fn(*mut T)) -> Result<Made<T>, Said> {
        let mut made = Made::none(give_back);
        made.push(object, Reason::no_memory)?;
        Ok(made)
    }

    /// Takes one that was just made; null is an error.
    fn push(&mut self, object: *mut T, why_not: impl FnOnce() -> Said) -> Result<*mut T, Said> {
        if object.is_null() {
            return Err(why_not());
        }
        self.all.push(object);
        Ok(object)
    }

    fn first(&self) -> *mut T {
        self.all.first().copied().unwrap_or(ptr::null_mut())
    }

    /// As the C array that a request takes.
    fn array(&mut self) -> (*mut *mut T, usize) {
        (self.all.as_mut_ptr(), self.all.len())
    }
}

impl<T> Drop for Made<T> {
    fn drop(&mut self) {
        for object in self.all.drain(..) {
            // SAFETY: each was made for us, and librdkafka has copied what it needs.
            unsafe { (self.give_back)(object) }
        }
    }
}

/// Goes over a list that belongs to an answer.
///
/// SAFETY: `list` gives an array of as many pointers as it says, which live as long as the answer, and so does what `read`
/// is called for.
unsafe fn each<T, R>(list: impl FnOnce(*mut usize) -> *mut *const T, mut read: impl FnMut(*const T) -> R) -> Vec<R> {
    let mut count = 0;
    let array = list(&mut count);
    if array.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    (0..count).map(|at| read(unsafe { *array.add(at) })).collect()
}

/// An error object of librdkafka's, without the name of the request that may stand before its words.
///
/// SAFETY: `error` is null or lives.
unsafe fn said(error: *const rd::rd_kafka_error_t) -> Option<Said> {
    // SAFETY: the caller's promise; null is no error.
    let said = unsafe { Said::of(rd::rd_kafka_error_code(error), rd::rd_kafka_error_string(error)) }?;
    let is_name = |name: &str| name != "Broker" && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let words = match said.words.split_once(':') {
        Some((name, words)) if is_name(name) => words.trim(),
        _ => said.words.as_str(),
    };
    // The same in librdkafka's own words, or nothing.
    let is_plain = words.is_empty() || words.starts_with("Broker: ");
    Some(if is_plain { Said::plain(said.code) } else { Said { code: said.code, words: words.to_owned() } })
}

/// Room for librdkafka's words about something that it does not take.
struct Reason([c_char; 256]);

impl Default for Reason {
    fn default() -> Reason {
        Reason([0; 256])
    }
}

impl Reason {
    fn room(&mut self) -> *mut c_char {
        self.0.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing is wrong but that an object could not be made.
    fn no_memory() -> Said {
        Said::plain(RDKafkaErrorCode::CriticalSystemResource)
    }

    fn said(&self) -> Said {
        // SAFETY: librdkafka ends what it writes with a zero byte, and there was one from the start.
        Said { code: RDKafkaErrorCode::InvalidArgument, words: unsafe { text(self.0.as_ptr()) } }
    }
}

/// A name as C wants it.
fn name(text: &str) -> Result<CString, Said> {
    CString::new(text).map_err(|_| Said {
        code: RDKafkaErrorCode::InvalidArgument,
        words: "a name cannot hold a zero byte".to_owned(),
    })
}
