//! Access control lists.

use std::ptr;

use rd::rd_kafka_AclOperation_t as NativeOperation;
use rd::rd_kafka_AclPermissionType_t as NativePermission;
use rd::rd_kafka_ResourcePatternType_t as NativePattern;
use rd::rd_kafka_ResourceType_t as NativeResource;
use rdkafka::bindings as rd;

use super::{Admin, Made, Reason, Said, each, name};
use crate::kafka::ffi::text;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    /// Anything: only to look for rules.
    Any,
    /// Topics.
    Topic,
    /// Consumer groups.
    Group,
    /// The cluster.
    Cluster,
    /// Transactional ids.
    TransactionalId,
    /// What this version does not know.
    Unknown,
}

/// How a rule's name is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameIs {
    /// Either: only to look for rules.
    Any,
    /// One that the rule holds for: only to look for rules.
    Match,
    /// The name itself; `*` stands for all.
    Literal,
    /// What names begin with.
    Prefix,
    /// What this version does not know.
    Unknown,
}

/// Whether a rule gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permission {
    /// Either: only to look for rules.
    Any,
    /// It is forbidden.
    Deny,
    /// It is allowed.
    Allow,
    /// What this version does not know.
    Unknown,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// Anything: only to look for rules.
    Any,
    /// All of what follows.
    All,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Creating.
    Create,
    /// Deleting.
    Delete,
    /// Altering.
    Alter,
    /// Describing.
    Describe,
    /// What brokers do among each other.
    ClusterAction,
    /// Describing settings.
    DescribeConfigs,
    /// Altering settings.
    AlterConfigs,
    /// Writing idempotently.
    IdempotentWrite,
    /// What this version does not know.
    Unknown,
}

/// A rule, or what rules are looked for with: then `None` is any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acl {
    /// What it is about.
    pub resource: Resource,
    /// Its name.
    pub name: Option<String>,
    /// How that is to be read.
    pub name_is: NameIs,
    /// Whom it is about, as `User:alice`.
    pub principal: Option<String>,
    /// From where; `*` is anywhere.
    pub host: Option<String>,
    /// What may be done, or not.
    pub operation: Operation,
    /// Whether it may.
    pub permission: Permission,
}

/// What became of looking for rules and deleting them.
pub(crate) type DeletedAcls = Result<Vec<Acl>, Said>;

impl Acl {
    /// As librdkafka has it, made by one of its two constructors; null with the reason when it is none.
    fn made(&self, reason: &mut Reason, is_filter: bool) -> Result<*mut rd::rd_kafka_AclBinding_t, Said> {
        let texts = [&self.name, &self.principal, &self.host];
        let [title, principal, host] = texts.map(|text| text.as_deref().map(name).transpose());
        let (title, principal, host) = (title?, principal?, host?);
        let [title, principal, host] =
            [&title, &principal, &host].map(|text| text.as_ref().map_or(ptr::null(), |text| text.as_ptr()));
        let new = if is_filter { rd::rd_kafka_AclBindingFilter_new } else { rd::rd_kafka_AclBinding_new };
        let (resource, name_is) = (self.resource.native(), self.name_is.native());
        let (operation, permission) = (self.operation.native(), self.permission.native());
        // SAFETY: librdkafka copies the texts, of which null is one that is not there; who asks gives the object back.
        Ok(unsafe {
            new(resource, title, name_is, principal, host, operation, permission, reason.room(), reason.len())
        })
    }
}

impl Admin<'_> {
    /// Creates rules; each has its own outcome, in their order.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn create_acls(&self, acls: &[Acl]) -> Result<Vec<Result<(), Said>>, Said> {
        let mut made = Made::none(rd::rd_kafka_AclBinding_destroy);
        for acl in acls {
            let mut reason = Reason::default();
            made.push(acl.made(&mut reason, false)?, || reason.said())?;
        }
        let (array, count) = made.array();
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEACLS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the rules.
            unsafe { rd::rd_kafka_CreateAcls(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_CreateAcls_result(answer.pointer());
            let outcome = |of| Said::of_error(rd::rd_kafka_acl_result_error(of)).map_or(Ok(()), Err);
            each(|count| rd::rd_kafka_CreateAcls_result_acls(result, count), outcome)
        })
    }

    /// The rules that a filter finds. None also where they may not be seen, and where there can be none: librdkafka 2.12 does
    /// not hand on the error that the answer has.
    ///
    /// # Errors
    /// The request.
    pub(crate) fn acls(&self, filter: &Acl) -> Result<Vec<Acl>, Said> {
        let mut reason = Reason::default();
        let mut made = Made::none(rd::rd_kafka_AclBinding_destroy);
        let filter = made.push(filter.made(&mut reason, true)?, || reason.said())?;
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEACLS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the filter.
            unsafe { rd::rd_kafka_DescribeAcls(client, filter, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeAcls_result(answer.pointer());
            each(|count| rd::rd_kafka_DescribeAcls_result_acls(result, count), acl)
        })
    }

    /// Deletes the rules that filters find; each filter has its own outcome, with what it found.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn delete_acls(&self, filters: &[Acl]) -> Result<Vec<DeletedAcls>, Said> {
        let mut made = Made::none(rd::rd_kafka_AclBinding_destroy);
        for filter in filters {
            let mut reason = Reason::default();
            made.push(filter.made(&mut reason, true)?, || reason.said())?;
        }
        let (array, count) = made.array();
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEACLS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the filters.
            unsafe { rd::rd_kafka_DeleteAcls(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its lists live as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteAcls_result(answer.pointer());
            let deleted = |of| match Said::of_error(rd::rd_kafka_DeleteAcls_result_response_error(of)) {
                Some(said) => Err(said),
                None => Ok(each(|count| rd::rd_kafka_DeleteAcls_result_response_matching_acls(of, count), acl)),
            };
            each(|count| rd::rd_kafka_DeleteAcls_result_responses(result, count), deleted)
        })
    }
}

fn acl(of: *const rd::rd_kafka_AclBinding_t) -> Acl {
    // SAFETY: called by `each` for what lives; texts end in a zero byte or are null. librdkafka makes UNKNOWN of every number
    // that its types have not.
    unsafe {
        Acl {
            resource: Resource::of(rd::rd_kafka_AclBinding_restype(of)),
            name: Some(text(rd::rd_kafka_AclBinding_name(of))),
            name_is: NameIs::of(rd::rd_kafka_AclBinding_resource_pattern_type(of)),
            principal: Some(text(rd::rd_kafka_AclBinding_principal(of))),
            host: Some(text(rd::rd_kafka_AclBinding_host(of))),
            operation: Operation::of(rd::rd_kafka_AclBinding_operation(of)),
            permission: Permission::of(rd::rd_kafka_AclBinding_permission_type(of)),
        }
    }
}

/// The values of a type of ours as librdkafka has them.
macro_rules! as_native {
    ($ours:ident, $native:ident, $($one:ident = $other:ident),+) => {
        impl $ours {
            fn native(self) -> $native {
                match self {
                    $($ours::$one => $native::$other,)+
                }
            }

            pub(super) fn of(native: $native) -> $ours {
                match native {
                    $($native::$other => $ours::$one,)+
                    _ => $ours::Unknown,
                }
            }
        }
    };
}

as_native!(
    Resource,
    NativeResource,
    Any = RD_KAFKA_RESOURCE_ANY,
    Topic = RD_KAFKA_RESOURCE_TOPIC,
    Group = RD_KAFKA_RESOURCE_GROUP,
    // The same number: what is a broker to settings is the cluster to rules.
    Cluster = RD_KAFKA_RESOURCE_BROKER,
    TransactionalId = RD_KAFKA_RESOURCE_TRANSACTIONAL_ID,
    Unknown = RD_KAFKA_RESOURCE_UNKNOWN
);
as_native!(
    NameIs,
    NativePattern,
    Any = RD_KAFKA_RESOURCE_PATTERN_ANY,
    Match = RD_KAFKA_RESOURCE_PATTERN_MATCH,
    Literal = RD_KAFKA_RESOURCE_PATTERN_LITERAL,
    Prefix = RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
    Unknown = RD_KAFKA_RESOURCE_PATTERN_UNKNOWN
);
as_native!(
    Permission,
    NativePermission,
    Any = RD_KAFKA_ACL_PERMISSION_TYPE_ANY,
    Deny = RD_KAFKA_ACL_PERMISSION_TYPE_DENY,
    Allow = RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
    Unknown = RD_KAFKA_ACL_PERMISSION_TYPE_UNKNOWN
);
as_native!(
    Operation,
    NativeOperation,
    Any = RD_KAFKA_ACL_OPERATION_ANY,
    All = RD_KAFKA_ACL_OPERATION_ALL,
    Read = RD_KAFKA_ACL_OPERATION_READ,
    Write = RD_KAFKA_ACL_OPERATION_WRITE,
    Create = RD_KAFKA_ACL_OPERATION_CREATE,
    Delete = RD_KAFKA_ACL_OPERATION_DELETE,
    Alter = RD_KAFKA_ACL_OPERATION_ALTER,
    Describe = RD_KAFKA_ACL_OPERATION_DESCRIBE,
    ClusterAction = RD_KAFKA_ACL_OPERATION_CLUSTER_ACTION,
    DescribeConfigs = RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS,
    AlterConfigs = RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS,
    IdempotentWrite = RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE,
    Unknown = RD_KAFKA_ACL_OPERATION_UNKNOWN
);
