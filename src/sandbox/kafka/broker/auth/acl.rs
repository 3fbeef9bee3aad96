//! Access control lists, and what they come to: `StandardAuthorizer` of Kafka 4.1, KIP-11 and KIP-290.

use std::collections::BTreeSet;

pub(crate) const ANY: i8 = 1;
/// As a pattern's type: all patterns that a name falls under.
pub(crate) const MATCH: i8 = 2;
/// As an operation: all of them.
pub(crate) const ALL: i8 = 2;

pub(crate) const TOPIC: i8 = 2;
pub(crate) const GROUP: i8 = 3;
pub(crate) const CLUSTER: i8 = 4;
pub(crate) const TRANSACTIONAL_ID: i8 = 5;
/// The last type of resource: a user.
pub(crate) const USER: i8 = 7;
/// The last operation: TWO_PHASE_COMMIT.
pub(crate) const LAST_OPERATION: i8 = 15;

pub(crate) const LITERAL: i8 = 3;
pub(crate) const PREFIXED: i8 = 4;

pub(crate) const DENY: i8 = 2;
pub(crate) const ALLOW: i8 = 3;

/// The name of the one cluster.
pub(crate) const CLUSTER_NAME: &str = "kafka-cluster";

/// As many as there may be: each request looks at all of them.
const MOST: usize = 10_000;

/// One entry. The numbers are those of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acl {
    pub resource: i8,
    pub name: String,
    /// [`LITERAL`] or [`PREFIXED`].
    pub pattern: i8,
    /// As `User:alice`, or `User:*`.
    pub principal: String,
    /// An address, or `*`.
    pub host: String,
    pub operation: i8,
    /// [`ALLOW`] or [`DENY`].
    pub permission: i8,
}

/// Which entries are meant. What is none, or [`ANY`], leaves it open.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub resource: i8,
    pub name: Option<String>,
    /// [`ANY`], [`MATCH`], [`LITERAL`] or [`PREFIXED`].
    pub pattern: i8,
    pub principal: Option<String>,
    pub host: Option<String>,
    pub operation: i8,
    pub permission: i8,
}

/// All entries.
#[derive(Debug, Default)]
pub(crate) struct Acls {
    /// Whether they count at all, or are only kept.
    pub enforced: bool,
    /// Who may do everything, as `User:admin`.
    pub supers: BTreeSet<String>,
    entries: BTreeSet<Acl>,
}

impl Acl {
    fn is_of(&self, principal: &str, host: &str, resource: i8) -> bool {
        self.resource == resource
            && (self.principal == principal || self.principal == "User:*")
            && (self.host == "*" || self.host == host)
    }

    fn covers(&self, name: &str) -> bool {
        match self.pattern {
            PREFIXED => name.starts_with(&self.name),
            _ => self.name == name || self.name == "*",
        }
    }

    /// Whether it says something about an operation. Who is allowed to read or write may describe, too; who is denied
    /// that, may.
    fn is_about(&self, operation: i8) -> bool {
        let implied: &[i8] = match operation {
            // Describe, by Read, Write, Delete, Alter.
            8 => &[3, 4, 6, 7],
            // DescribeConfigs, by AlterConfigs.
            10 => &[11],
            _ => &[],
        };
        self.operation == ALL
            || self.operation == operation
            || (self.permission == ALLOW && implied.contains(&self.operation))
    }
}

impl Filter {
    /// Whether an entry is meant.
    pub(crate) fn matches(&self, acl: &Acl) -> bool {
        let open = |wanted: i8, is: i8| wanted == ANY || wanted == is;
        let open_text = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let named = match (&self.name, self.pattern) {
            (None, LITERAL | PREFIXED) => acl.pattern == self.pattern,
            (None, _) => true,
            (Some(name), MATCH) => acl.covers(name),
            (Some(name), pattern) => open(pattern, acl.pattern) && acl.name == *name,
        };
        named
            && open(self.resource, acl.resource)
            && open(self.operation, acl.operation)
            && open(self.permission, acl.permission)
            && open_text(&self.principal, &acl.principal)
            && open_text(&self.host, &acl.host)
    }
}

impl Acls {
    /// Keeps an entry; one that is there already stays. False when there are too many.
    pub(crate) fn add(&mut self, acl: Acl) -> bool {
        let fits = self.entries.len() < MOST || self.entries.contains(&acl);
        if fits {
            self.entries.insert(acl);
        }
        fits
    }

    /// Those that are meant, by resource.
    pub(crate) fn matching(&self, filter: &Filter) -> Vec<Acl> {
        self.entries.iter().filter(|acl| filter.matches(acl)).cloned().collect()
    }

    /// Takes those away that are meant.
    pub(crate) fn remove(&mut self, filter: &Filter) -> Vec<Acl> {
        let gone = self.matching(filter);
        for acl in &gone {
            self.entries.remove(acl);
        }
        gone
    }

    /// Whether someone may do something: a denial counts more than anything that allows, and nothing said is a denial.
    pub(crate) fn allow(&self, principal: &str, host: &str, operation: i8, resource: i8, name: &str) -> bool {
        if self.supers.contains(principal) {
            return true;
        }
        let said = self
            .entries
            .iter()
            .filter(|acl| acl.is_of(principal, host, resource) && acl.covers(name) && acl.is_about(operation));
        let mut allowed = false;
        for acl in said {
            if acl.permission == DENY {
                return false;
            }
            allowed = true;
        }
        allowed
    }

    /// Whether someone may do something to some resource of a type.
    pub(crate) fn allow_some(&self, principal: &str, host: &str, operation: i8, resource: i8) -> bool {
        if self.supers.contains(principal) {
            return true;
        }
        let said = || self.entries.iter().filter(|acl| acl.is_of(principal, host, resource) && acl.is_about(operation));
        said().filter(|acl| acl.permission == ALLOW).any(|allow| {
            // Only what all of it is denied counts, as there may be a name that is not.
            !said().any(|deny| {
                deny.permission == DENY
                    && (deny.name == "*"
                        || (deny.pattern == PREFIXED && allow.name.starts_with(&deny.name))
                        || (deny.pattern == LITERAL && allow.pattern == LITERAL && deny.name == allow.name))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(name: &str, pattern: i8, operation: i8, permission: i8) -> Acl {
        let (principal, host) = ("User:a".to_owned(), "*".to_owned());
        Acl { resource: TOPIC, name: name.to_owned(), pattern, principal, host, operation, permission }
    }

    #[test]
    fn a_denial_counts_more_and_describe_comes_with_read() {
        let mut acls = Acls::default();
        acls.add(acl("a-", PREFIXED, 3, ALLOW));
        acls.add(acl("a-secret", LITERAL, ALL, DENY));
        let may = |acls: &Acls, operation, name| acls.allow("User:a", "127.0.0.1", operation, TOPIC, name);
        assert!(may(&acls, 3, "a-b") && may(&acls, 8, "a-b") && !may(&acls, 4, "a-b"));
        assert!(!may(&acls, 3, "a-secret") && !may(&acls, 8, "a-secret") && !may(&acls, 3, "b"));
        assert!(!acls.allow("User:b", "127.0.0.1", 3, TOPIC, "a-b"));
        acls.supers.insert("User:b".to_owned());
        assert!(acls.allow("User:b", "127.0.0.1", 3, TOPIC, "a-secret"));
        assert!(acls.allow_some("User:a", "h", 3, TOPIC) && !acls.allow_some("User:a", "h", 4, TOPIC));
    }

    #[test]
    fn a_filter_finds_by_name_by_pattern_or_whatever_covers_a_name() {
        let mut acls = Acls::default();
        acls.add(acl("a", PREFIXED, 3, ALLOW));
        acls.add(acl("ab", LITERAL, 3, ALLOW));
        acls.add(acl("*", LITERAL, 4, ALLOW));
        let name = Some("ab".to_owned());
        let mut filter = Filter {
            resource: ANY,
            name,
            pattern: MATCH,
            principal: None,
            host: None,
            operation: ANY,
            permission: ANY,
        };
        assert_eq!(acls.matching(&filter).len(), 3);
        filter.pattern = ANY;
        assert_eq!(acls.matching(&filter).len(), 1);
        filter = Filter { name: None, pattern: PREFIXED, ..filter };
        assert_eq!(acls.remove(&filter).len(), 1);
        filter.pattern = ANY;
        assert_eq!(acls.matching(&filter).len(), 2);
    }
}
