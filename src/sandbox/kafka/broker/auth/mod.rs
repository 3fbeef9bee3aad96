//! Who may do what: logins, and access control lists with Kafka's meaning.

pub(crate) mod acl;
pub(crate) mod login;
pub(crate) mod sasl;
pub(crate) mod scram;
pub(crate) mod users;

use kafka_protocol::protocol::StrBytes;

use self::acl::Acls;
use self::users::Users;
use super::config::Configs;
use super::{Broker, Caller, Options};

/// What can be allowed or denied; the numbers are those of the protocol (`AclOperation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Delete = 6,
    Alter = 7,
    Describe = 8,
    ClusterAction = 9,
    DescribeConfigs = 10,
    AlterConfigs = 11,
    IdempotentWrite = 12,
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Topic(&'a str),
    Group(&'a str),
    Cluster,
    TransactionalId(&'a str),
}

impl Resource<'_> {
    /// The number of the protocol (`ResourceType`).
    fn number(&self) -> i8 {
        match self {
            Resource::Topic(_) => acl::TOPIC,
            Resource::Group(_) => acl::GROUP,
            Resource::Cluster => acl::CLUSTER,
            Resource::TransactionalId(_) => acl::TRANSACTIONAL_ID,
        }
    }

    fn name(&self) -> &str {
        match self {
            Resource::Topic(name) | Resource::Group(name) | Resource::TransactionalId(name) => name,
            Resource::Cluster => acl::CLUSTER_NAME,
        }
    }

    /// What can be done to it at all.
    fn operations(&self) -> &'static [Operation] {
        use Operation::{
            Alter, AlterConfigs, ClusterAction, Create, Delete, Describe, DescribeConfigs, IdempotentWrite, Read, Write,
        };
        match self {
            Resource::Topic(_) => &[Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs],
            Resource::Group(_) => &[Read, Describe, Delete, DescribeConfigs, AlterConfigs],
            Resource::Cluster => {
                &[Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe]
            }
            Resource::TransactionalId(_) => &[Describe, Write],
        }
    }
}

/// All that decides who may do what.
#[derive(Debug, Default)]
pub(crate) struct Security {
    pub acls: Acls,
    pub users: Users,
    /// Whether clients have to log in.
    pub login: bool,
}

impl Security {
    /// What the settings of the brokers say of it.
    pub(crate) fn fix(options: &Options, configs: &mut Configs) {
        if options.acl {
            configs.fix("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
        }
        if !options.users.is_empty() {
            configs.fix("sasl.enabled.mechanisms", sasl::MECHANISMS.join(","));
        }
    }

    /// As the owner wants it.
    pub(crate) fn new(options: &Options) -> Security {
        let mut security = Security { login: !options.users.is_empty(), ..Security::default() };
        for (name, password) in &options.users {
            security.users.add(name, password);
        }
        security.acls.enforced = options.acl;
        let first = options.users.first().map_or("ANONYMOUS", |(name, _)| name);
        security.acls.supers.insert(user(first).to_string());
        security
    }
}

impl Broker {
    /// Whether the caller may do this. Always, unless access control lists are enforced.
    pub(crate) fn allowed(&self, caller: &Caller, operation: Operation, resource: Resource<'_>) -> bool {
        let acls = &self.security.acls;
        let host = caller.host.trim_start_matches('/');
        !acls.enforced || acls.allow(&caller.principal, host, operation as i8, resource.number(), resource.name())
    }

    /// Whether the caller may write to some topic, whichever it is: who may, may be an idempotent producer (KIP-679).
    pub(crate) fn allowed_idempotent_write(&self, caller: &Caller) -> bool {
        let acls = &self.security.acls;
        let host = caller.host.trim_start_matches('/');
        self.allowed(caller, Operation::IdempotentWrite, Resource::Cluster)
            || acls.allow_some(&caller.principal, host, Operation::Write as i8, acl::TOPIC)
    }

    /// What the caller may do to a resource, as a field of bits (KIP-430).
    pub(crate) fn authorized_operations(&self, caller: &Caller, resource: Resource<'_>) -> i32 {
        let operations = resource.operations().iter();
        let allowed = operations.filter(|operation| self.allowed(caller, **operation, resource));
        allowed.fold(0, |bits, operation| bits | 1 << (*operation as i8))
    }
}

/// The principal of a user: `User:name`.
pub(crate) fn user(name: &str) -> StrBytes {
    StrBytes::from_string(format!("User:{name}"))
}
