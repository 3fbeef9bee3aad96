//! Rules as they are typed, shown and looked for.

use rdkafka::error::RDKafkaErrorCode as Code;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{administer, said_error};
use crate::kafka::ffi::{Acl, Admin, NameIs, Operation, Owner, Permission, Resource, Said};
use crate::kafka::shared::AdminClient;

/// What is shown of a rule.
pub(crate) const ACL: [&str; 7] = ["resource", "name", "pattern", "principal", "host", "operation", "permission"];

/// The one name that the cluster has as a resource.
pub(super) const CLUSTER: &str = "kafka-cluster";

/// What rules are about.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ResourceArgs {
    /// A topic, or * for all. May be repeated
    #[arg(long, value_name = "TOPIC", value_parser = name)]
    topic: Vec<String>,
    /// A consumer group, or * for all. May be repeated
    #[arg(long, value_name = "GROUP", value_parser = name)]
    group: Vec<String>,
    /// A transactional id, or * for all. May be repeated
    #[arg(long, value_name = "ID", value_parser = name)]
    transactional_id: Vec<String>,
    /// The cluster itself
    #[arg(long)]
    cluster: bool,
    /// The names are what names begin with
    #[arg(long)]
    prefixed: bool,
}

/// A name that a rule can have.
fn name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a name is not empty; * stands for all".to_owned()),
        text if text.starts_with('^') => {
            Err("a rule has no regular expression; --prefixed takes names for what names begin with".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}

/// What can be done, as it is typed and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Doing {
    /// All that there is
    All,
    /// Read records, or be a member of a group
    Read,
    /// Write records
    Write,
    /// Create topics
    Create,
    /// Delete topics, records or groups
    Delete,
    /// Change partitions, rules or users
    Alter,
    /// See that it is there, and its offsets
    Describe,
    /// What brokers do among each other
    ClusterAction,
    /// See settings
    DescribeConfigs,
    /// Change settings
    AlterConfigs,
    /// Write idempotently; of use only before Kafka 2.8
    IdempotentWrite,
}

impl Doing {
    pub(super) fn operation(self) -> Operation {
        match self {
            Doing::All => Operation::All,
            Doing::Read => Operation::Read,
            Doing::Write => Operation::Write,
            Doing::Create => Operation::Create,
            Doing::Delete => Operation::Delete,
            Doing::Alter => Operation::Alter,
            Doing::Describe => Operation::Describe,
            Doing::ClusterAction => Operation::ClusterAction,
            Doing::DescribeConfigs => Operation::DescribeConfigs,
            Doing::AlterConfigs => Operation::AlterConfigs,
            Doing::IdempotentWrite => Operation::IdempotentWrite,
        }
    }
}

/// Whom a rule is about: a user by its name alone, others with their type.
pub(super) fn principal(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        None if !text.is_empty() => Ok(format!("User:{text}")),
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(text.to_owned()),
        _ => Err("write a user's name, or TYPE:NAME, as User:alice; User:* is everybody".to_owned()),
    }
}

impl ResourceArgs {
    /// The resources, each with its name.
    pub(super) fn resources(&self) -> Vec<(Resource, String)> {
        let ResourceArgs { topic, group, transactional_id, cluster, prefixed: _ } = self;
        let named =
            |resource, names: &[String]| names.iter().map(move |name| (resource, name.clone())).collect::<Vec<_>>();
        let mut all = named(Resource::Topic, topic);
        all.extend(named(Resource::Group, group));
        all.extend(named(Resource::TransactionalId, transactional_id));
        all.extend(cluster.then(|| (Resource::Cluster, CLUSTER.to_owned())));
        all
    }

    /// Those of one kind.
    pub(super) fn names(&self, of: Resource) -> Vec<String> {
        self.resources().into_iter().filter(|(resource, _)| *resource == of).map(|(_, name)| name).collect()
    }

    /// How the names are to be read in a new rule.
    ///
    /// # Errors
    /// `Kind::Usage` for what has no prefixes.
    pub(super) fn name_is(&self, of: Resource, name: &str) -> Result<NameIs> {
        match (self.prefixed, of) {
            (false, _) => Ok(NameIs::Literal),
            // There is one of them.
            (true, Resource::Cluster) => Ok(NameIs::Literal),
            (true, _) if name == "*" => {
                Err(Error::usage("--prefixed with * as a name")
                    .hint("leave --prefixed out: * alone stands for all names"))
            }
            (true, _) => Ok(NameIs::Prefix),
        }
    }
}

/// Which rules are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct FilterArgs {
    #[command(flatten)]
    resources: ResourceArgs,
    /// Rules that hold for these names: prefixes and * too
    #[arg(long = "match", conflicts_with = "prefixed")]
    matching: bool,
    /// Rules about this user, or TYPE:NAME
    #[arg(long, value_name = "PRINCIPAL", value_parser = principal)]
    principal: Option<String>,
    /// Rules about this client's address
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Rules about these operations
    #[arg(long, value_name = "OPERATIONS", value_delimiter = ',', value_enum, hide_possible_values = true)]
    operation: Vec<Doing>,
    /// Rules that allow
    #[arg(long, conflicts_with = "deny")]
    allow: bool,
    /// Rules that forbid
    #[arg(long)]
    deny: bool,
}

impl FilterArgs {
    /// What rules are looked for with: one that any of these finds is meant.
    pub(super) fn filters(&self) -> Vec<Acl> {
        let FilterArgs { resources, matching, principal, host, operation, allow, deny } = self;
        let name_is = match (matching, resources.prefixed) {
            (true, _) => NameIs::Match,
            (_, true) => NameIs::Prefix,
            _ => NameIs::Any,
        };
        let permission = match (allow, deny) {
            (true, _) => Permission::Allow,
            (_, true) => Permission::Deny,
            _ => Permission::Any,
        };
        let mut named: Vec<(Resource, Option<String>)> =
            resources.resources().into_iter().map(|(resource, name)| (resource, Some(name))).collect();
        if named.is_empty() {
            named.push((Resource::Any, None));
        }
        let mut operations: Vec<Operation> = operation.iter().map(|doing| doing.operation()).collect();
        if operations.is_empty() {
            operations.push(Operation::Any);
        }
        let filter = |(resource, name): &(Resource, Option<String>), operation| Acl {
            resource: *resource,
            name: name.clone(),
            name_is,
            principal: principal.clone(),
            host: host.clone(),
            operation,
            permission,
        };
        named.iter().flat_map(|named| operations.iter().map(move |operation| filter(named, *operation))).collect()
    }
}

/// The rules that filters find, each once, in their order; blocks.
///
/// # Errors
/// The request's; `Kind::Auth` and `Kind::Refused` where rules may not be seen or there can be none.
pub(super) fn find(client: &AdminClient, filters: &[Acl], cx: &Context) -> Result<Vec<Acl>> {
    let mut found = Vec::new();
    for filter in filters {
        found.extend(ask(client, cx, |admin| admin.acls(filter))?);
    }
    if found.is_empty() {
        check(client, cx)?;
    }
    found.sort();
    found.dedup();
    Ok(found)
}

const WHAT: &str = "cannot list the rules";

fn ask<T>(client: &AdminClient, cx: &Context, ask: impl FnOnce(&Admin<'_>) -> Result<T, Said>) -> Result<T> {
    administer(&**client, cx.policy.connect_timeout, &cx.shutdown, WHAT, ask)
}

/// Whether it means anything that no rule was found.
fn check(client: &AdminClient, cx: &Context) -> Result<()> {
    let cluster = ask(client, cx, |admin| admin.cluster(true))?;
    let refused = |code| Err(refused(WHAT, Operation::Describe, &Said::plain(code)));
    if cluster.rights.is_some_and(|rights| !rights.contains(&Operation::Describe)) {
        return refused(Code::ClusterAuthorizationFailed);
    }
    let Some(broker) = cluster.brokers.first().map(|node| Owner::Broker(node.id)) else { return Ok(()) };
    const AUTHORIZER: &str = "authorizer.class.name";
    // Who may not see that sees nothing wrong.
    let Ok(answer) = ask(client, cx, |admin| admin.settings(&[broker], &[AUTHORIZER])) else { return Ok(()) };
    let mut settings = answer.into_iter().filter_map(|found| found.result.ok()).flatten();
    match settings.find(|setting| setting.name == AUTHORIZER) {
        Some(setting) if setting.value.as_deref().unwrap_or_default().is_empty() && !setting.is_secret => {
            refused(Code::SecurityDisabled)
        }
        _ => Ok(()),
    }
}

/// The error of a request about rules that was refused; `needed` is what it takes on the cluster.
pub(super) fn refused(what: impl Into<String>, needed: Operation, said: &Said) -> Error {
    // The broker's own words for a right that is lacking are a dump of the request.
    let plain = Said::plain(said.code);
    let error = said_error(what, if said.code == Code::ClusterAuthorizationFailed { &plain } else { said });
    match said.code {
        Code::SecurityDisabled => {
            error.hint("the brokers check nothing: authorizer.class.name in their files names what does")
        }
        Code::ClusterAuthorizationFailed => {
            error.hint(format!("it takes the operation {} on the cluster, or a super user", operation_name(needed)))
        }
        _ => error,
    }
}

/// A rule as a row.
pub(super) fn row(acl: &Acl) -> [Value; 7] {
    let Acl { resource, name, name_is, principal, host, operation, permission } = acl;
    let resource = match resource {
        Resource::Any => "any",
        Resource::Topic => "topic",
        Resource::Group => "group",
        Resource::Cluster => "cluster",
        Resource::TransactionalId => "transactional-id",
        Resource::Unknown => "unknown",
    };
    let pattern = match name_is {
        NameIs::Any => "any",
        NameIs::Match => "match",
        NameIs::Literal => "literal",
        NameIs::Prefix => "prefixed",
        NameIs::Unknown => "unknown",
    };
    let permission = match permission {
        Permission::Any => "any",
        Permission::Deny => "deny",
        Permission::Allow => "allow",
        Permission::Unknown => "unknown",
    };
    [
        json!(resource),
        json!(name),
        json!(pattern),
        json!(principal),
        json!(host),
        json!(operation_name(*operation)),
        json!(permission),
    ]
}

fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Any => "any",
        Operation::All => "all",
        Operation::Read => "read",
        Operation::Write => "write",
        Operation::Create => "create",
        Operation::Delete => "delete",
        Operation::Alter => "alter",
        Operation::Describe => "describe",
        Operation::ClusterAction => "cluster-action",
        Operation::DescribeConfigs => "describe-configs",
        Operation::AlterConfigs => "alter-configs",
        Operation::IdempotentWrite => "idempotent-write",
        Operation::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn operations_are_shown_as_they_are_typed() {
        for doing in Doing::value_variants() {
            let typed = doing.to_possible_value().expect("a value");
            assert_eq!(operation_name(doing.operation()), typed.get_name());
        }
    }

    #[test]
    fn whom_a_rule_is_about() {
        assert_eq!(principal("alice"), Ok("User:alice".to_owned()));
        assert_eq!(principal("Group:a:b"), Ok("Group:a:b".to_owned()));
        assert_eq!(principal("*"), Ok("User:*".to_owned()));
        for bad in ["", ":", "User:", ":alice"] {
            assert!(principal(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_of_several_filters() {
        let resources = ResourceArgs { topic: vec!["a".to_owned(), "b".to_owned()], ..ResourceArgs::default() };
        let operation = vec![Doing::Read, Doing::Write];
        let filters = FilterArgs { resources, operation, matching: true, ..FilterArgs::default() }.filters();
        assert_eq!(filters.len(), 4);
        assert!(filters.iter().all(|filter| filter.name_is == NameIs::Match && filter.permission == Permission::Any));
        let all = FilterArgs::default().filters();
        assert!(all.len() == 1 && all[0].name.is_none() && all[0].resource == Resource::Any);
    }
}
