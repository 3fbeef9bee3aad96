//! `kafka acl add`.

use super::rules::{ACL, Doing, ResourceArgs, principal, refused, row};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{CLOSE, administer, drop_within};
use crate::kafka::ffi::{Acl, NameIs, Operation, Permission, Resource};
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout};

/// Allow or forbid something
///
/// A rule that is there already stays as it is. Prints the rules.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Whom: a user, or TYPE:NAME, as User:alice; * is everybody. May be repeated
    #[arg(long, value_name = "PRINCIPAL", required = true, value_parser = principal)]
    principal: Vec<String>,
    /// What: some of all, read, write, create, delete, alter, describe, describe-configs, alter-configs, cluster-action and
    /// idempotent-write
    #[arg(long, value_name = "OPERATIONS", value_delimiter = ',', value_enum, hide_possible_values = true,
          required_unless_present_any = ["producer", "consumer"])]
    operation: Vec<Doing>,
    /// All that it takes to write into the topics, also within a transaction where a transactional id is named
    #[arg(long, requires = "topic", conflicts_with_all = ["operation", "deny"])]
    producer: bool,
    /// All that it takes to read the topics as a member of the groups
    #[arg(long, requires = "topic", requires = "group", conflicts_with_all = ["operation", "deny"])]
    consumer: bool,
    #[command(flatten)]
    resources: ResourceArgs,
    /// From where: a client's address. May be repeated; anywhere if not given
    #[arg(long, value_name = "ADDRESS", default_value = "*", hide_default_value = true)]
    host: Vec<String>,
    /// Forbid it, whatever else is allowed
    #[arg(long)]
    deny: bool,
    /// How to show the rules
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

impl AddArgs {
    /// What may be done with which resource.
    fn doings(&self) -> Vec<(Resource, String, Operation)> {
        let mut all = Vec::new();
        let mut each = |resource: Resource, names: &[String], operations: &[Operation]| {
            for name in names {
                all.extend(operations.iter().map(|operation| (resource, name.clone(), *operation)));
            }
        };
        let names = |resource| self.resources.names(resource);
        let (topics, groups, ids) = (names(Resource::Topic), names(Resource::Group), names(Resource::TransactionalId));
        // As Kafka's own script has it.
        if self.producer {
            each(Resource::Topic, &topics, &[Operation::Write, Operation::Describe, Operation::Create]);
            each(Resource::TransactionalId, &ids, &[Operation::Write, Operation::Describe]);
        }
        if self.consumer {
            each(Resource::Topic, &topics, &[Operation::Read, Operation::Describe]);
            each(Resource::Group, &groups, &[Operation::Read]);
        }
        let operations: Vec<Operation> = self.operation.iter().map(|doing| doing.operation()).collect();
        for (resource, name) in self.resources.resources() {
            each(resource, &[name], &operations);
        }
        all
    }

    /// The rules, each once.
    ///
    /// # Errors
    /// `Kind::Usage` where there is nothing that they would be about.
    fn rules(&self) -> Result<Vec<Acl>> {
        let doings = self.doings();
        if doings.is_empty() {
            return Err(Error::usage("a rule is about something")
                .hint("name it with --topic, --group, --transactional-id or --cluster"));
        }
        let permission = if self.deny { Permission::Deny } else { Permission::Allow };
        let mut rules = Vec::new();
        for (resource, name, operation) in doings {
            let name_is = self.resources.name_is(resource, &name)?;
            for principal in &self.principal {
                rules.extend(self.host.iter().map(|host| Acl {
                    resource,
                    name: Some(name.clone()),
                    name_is,
                    principal: Some(principal.clone()),
                    host: Some(host.clone()),
                    operation,
                    permission,
                }));
            }
        }
        rules.sort();
        rules.dedup();
        Ok(rules)
    }
}

/// Adds rules.
///
/// # Errors
/// `Kind::Usage`; `Kind::Auth`; `Kind::Refused` for a rule that the cluster refuses.
pub(super) async fn add(args: AddArgs, cx: &Context) -> Result<()> {
    let rules = args.rules()?;
    let (client, _) = shared::admin(&args.settings, None, cx).await?;
    let (inner, added) = (cx.clone(), rules.clone());
    let outcomes = shared::on_thread(move || {
        let limit = inner.policy.connect_timeout;
        let outcomes =
            administer(&*client, limit, &inner.shutdown, "cannot add rules", |admin| admin.create_acls(&added));
        drop_within(client, CLOSE);
        outcomes
    })
    .await?;
    let (mut table, mut failed, mut any) = (Table::new(ACL), Vec::new(), false);
    for (rule, outcome) in rules.iter().zip(outcomes) {
        match outcome {
            Ok(()) => {
                any = true;
                table.row(row(rule));
            }
            Err(said) => {
                failed.push(refused(format!("cannot add a rule about {}", about(rule)), Operation::Alter, &said))
            }
        }
    }
    if any {
        table.print(args.output, &cx.terminal)?;
    }
    // The same reason for all of them is told once.
    failed.dedup_by(|a, b| a.chain() == b.chain());
    Error::each(failed)
}

/// What a rule is about, in words.
fn about(rule: &Acl) -> String {
    let name = rule.name.as_deref().unwrap_or_default();
    let name = if rule.name_is == NameIs::Prefix { format!("{name}*") } else { name.to_owned() };
    match rule.resource {
        Resource::Topic => format!("topic `{name}`"),
        Resource::Group => format!("group `{name}`"),
        Resource::TransactionalId => format!("transactional id `{name}`"),
        Resource::Any | Resource::Cluster | Resource::Unknown => "the cluster".to_owned(),
    }
}
