//! Why something cannot be done with a group, and what to do about it.

use std::collections::BTreeSet;

use rdkafka::types::RDKafkaErrorCode as Code;

use crate::error::{Error, Kind, nearest};
use crate::kafka::client::{Partition, said_error, topic_refused};
use crate::kafka::ffi::{GroupMember, Said};
use crate::kafka::pattern::Pattern;

/// What is said where there is none: brokers leave out what somebody may not see.
pub(super) const NONE: &str = "there are no consumer groups, or none that you may see";

/// How many members a sentence names.
const NAMED: usize = 5;

/// What a moment's patience gets over: a coordinator that has just begun to be one, or is none any more.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(code, Code::CoordinatorLoadInProgress | Code::CoordinatorNotAvailable | Code::NotCoordinator)
}

/// The error of a group that somebody refused; `what` was to be done with it, and takes an ACL that allows `operation`.
pub(super) fn group_refused(what: &str, group: &str, operation: &str, said: &Said) -> Error {
    match said.code {
        Code::GroupAuthorizationFailed => {
            let error = Error::new(Kind::Auth, format!("cannot {what} group `{group}`"));
            error.because("no permission").hint(format!("it takes an ACL that allows {operation} on group `{group}`"))
        }
        Code::TopicAuthorizationFailed => {
            let error = Error::new(Kind::Auth, format!("cannot {what} group `{group}`"));
            error.because("no permission for a topic").hint("it takes an ACL that allows Read on each of its topics")
        }
        Code::GroupIdNotFound => missing(group, &[]),
        Code::InvalidGroupId => Error::refused(format!("no group can have the name `{group}`")),
        Code::NonEmptyGroup | Code::UnknownMemberId => {
            Error::refused(format!("cannot {what} group `{group}`: it has members")).hint("stop them first")
        }
        // What librdkafka says of a group of other clients, with its protocol.
        Code::InvalidArgument => Error::refused(format!("cannot {what} group `{group}`")).because(said.words.clone()),
        // It was waited for.
        code if is_passing(code) => {
            Error::new(Kind::Deadline, format!("cannot {what} group `{group}`")).because(said.words.clone())
        }
        _ => said_error(format!("cannot {what} group `{group}`"), said),
    }
}

/// The errors of partitions that somebody refused, by topic and number; `what` was to be done with an offset of each, and takes
/// an ACL that allows `operation` on the topic. What holds for a whole topic is told once.
pub(super) fn partitions_refused(what: &str, operation: &str, mut refused: Vec<(Partition, Said)>) -> Vec<Error> {
    refused.sort_by(|(a, _), (b, _)| a.cmp(b));
    let is_of_topic = |code| matches!(code, Code::TopicAuthorizationFailed | Code::GroupSubscribedToTopic);
    let mut told = BTreeSet::new();
    let is_new = |(partition, said): &(Partition, Said)| {
        !is_of_topic(said.code) || told.insert((partition.topic.clone(), said.code as i32))
    };
    refused.retain(is_new);
    let error = |(Partition { topic, number }, said): (Partition, Said)| match said.code {
        Code::TopicAuthorizationFailed => {
            topic_refused(&topic, &said).hint(format!("it takes an ACL that allows {operation} on topic `{topic}`"))
        }
        Code::GroupSubscribedToTopic => {
            Error::refused(format!("cannot {what} the offsets of {topic}: members of the group read that topic"))
                .hint("stop them first")
        }
        _ => said_error(format!("cannot {what} the offset of {topic}[{number}]"), &said),
    };
    refused.into_iter().map(error).collect()
}

/// The error of a group that is not there; `all` are those that are.
pub(super) fn missing(group: &str, all: &[String]) -> Error {
    let error = Error::refused(format!("there is no consumer group `{group}`"));
    let others = all.iter().map(String::as_str).filter(|other| *other != group);
    error.hint(match nearest(group, others) {
        Some(near) => format!("did you mean `{near}`? List what is there: `mscomm kafka group list`"),
        None => "list what is there: `mscomm kafka group list`".to_owned(),
    })
}

/// The error of an expression that no group matches.
pub(super) fn no_match(pattern: &Pattern) -> Error {
    Error::refused(format!("no consumer group matches `{}`", pattern.text()))
        .hint("list what is there: `mscomm kafka group list`; what begins with ^ is a regular expression")
}

/// Who the members are: client ids, hosts, and what they have.
pub(super) fn named(members: &[GroupMember]) -> String {
    let name = |member: &GroupMember| format!("{} at {}", member.client, host(&member.host));
    let mut names: Vec<String> = members.iter().take(NAMED).map(name).collect();
    if let Some(more) = members.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// A member's host: brokers write the address behind a slash.
pub(super) fn host(text: &str) -> &str {
    text.strip_prefix('/').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_members_are_named() {
        let member = |n: usize| GroupMember {
            id: format!("m-{n}"),
            instance: None,
            client: format!("app-{n}"),
            host: "/10.0.0.1".to_owned(),
            assignment: Vec::new(),
            target: None,
        };
        let members: Vec<GroupMember> = (0..7).map(member).collect();
        assert_eq!(named(&members[..1]), "app-0 at 10.0.0.1");
        assert!(named(&members).ends_with("app-4 at 10.0.0.1, 2 more"), "{}", named(&members));
        assert!(!named(&members[..5]).contains("more"));
    }

    #[test]
    fn what_holds_for_a_topic_is_told_once() {
        let one = |topic: &str, number, code| (Partition { topic: topic.to_owned(), number }, Said::plain(code));
        let refused = vec![
            one("b", 1, Code::TopicAuthorizationFailed),
            one("a", 2, Code::UnknownTopicOrPartition),
            one("b", 0, Code::TopicAuthorizationFailed),
            one("a", 1, Code::UnknownTopicOrPartition),
            one("c", 0, Code::GroupSubscribedToTopic),
        ];
        let errors = partitions_refused("set", "Read", refused);
        let heads: Vec<String> = errors.iter().map(Error::head).collect();
        assert_eq!(heads.len(), 4, "{heads:?}");
        assert!(
            heads[0].contains("a[1]") && heads[1].contains("a[2]") && heads[3].contains("of c: members"),
            "{heads:?}"
        );
        assert_eq!(errors[2].kind(), Kind::Auth);
        assert!(errors[2].fix().is_some_and(|fix| fix.contains("Read on topic `b`")));
    }

    #[test]
    fn the_acl_that_is_missing_is_named() {
        let said = Said::plain(Code::GroupAuthorizationFailed);
        let error = group_refused("describe", "billing", "Describe", &said);
        assert_eq!(error.kind(), Kind::Auth);
        assert!(error.fix().is_some_and(|fix| fix.contains("Describe on group `billing`")));
        let all = ["billing".to_owned(), "audit".to_owned()];
        assert!(missing("biling", &all).fix().is_some_and(|fix| fix.contains("did you mean `billing`")));
    }
}
