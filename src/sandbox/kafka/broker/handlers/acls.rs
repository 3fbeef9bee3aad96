//! CreateAcls, DescribeAcls, DeleteAcls.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::acl::{
    ALLOW, ANY, Acl, CLUSTER, CLUSTER_NAME, DENY, Filter, LAST_OPERATION, LITERAL, PREFIXED, USER,
};
use super::super::auth::{Operation, Resource};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::configs::{Refusal, refusal, text};

/// Longest name of a resource, a principal or a host.
const LONGEST: usize = 1024;

const UNAUTHORIZED: &str = "Cluster authorization failed.";

pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeAclsRequest,
    _version: i16,
    _now: Now,
) -> DescribeAclsResponse {
    let answer = DescribeAclsResponse::default();
    if !broker.allowed(caller, Operation::Describe, Resource::Cluster) {
        let code = ResponseError::ClusterAuthorizationFailed.code();
        return answer.with_error_code(code).with_error_message(text(UNAUTHORIZED));
    }
    let filter = Filter {
        resource: request.resource_type_filter,
        name: request.resource_name_filter.map(|name| name.to_string()),
        pattern: request.pattern_type_filter,
        principal: request.principal_filter.map(|principal| principal.to_string()),
        host: request.host_filter.map(|host| host.to_string()),
        operation: request.operation,
        permission: request.permission_type,
    };
    if !is_known(&filter) {
        let why = format!("DescribeAcls: filter contains UNKNOWN elements: {filter:?}");
        return answer.with_error_code(ResponseError::InvalidRequest.code()).with_error_message(text(why));
    }
    let mut resources: Vec<DescribeAclsResource> = Vec::new();
    for acl in broker.security.acls.matching(&filter) {
        let description = AclDescription::default()
            .with_principal(StrBytes::from_string(acl.principal))
            .with_host(StrBytes::from_string(acl.host))
            .with_operation(acl.operation)
            .with_permission_type(acl.permission);
        match resources.last_mut() {
            Some(last)
                if last.resource_type == acl.resource
                    && last.pattern_type == acl.pattern
                    && last.resource_name.as_str() == acl.name =>
            {
                last.acls.push(description);
            }
            _ => resources.push(
                DescribeAclsResource::default()
                    .with_resource_type(acl.resource)
                    .with_resource_name(StrBytes::from_string(acl.name))
                    .with_pattern_type(acl.pattern)
                    .with_acls(vec![description]),
            ),
        }
    }
    answer.with_resources(resources)
}

/// Whether a filter has only what there is.
fn is_known(filter: &Filter) -> bool {
    (ANY..=USER).contains(&filter.resource)
        && (ANY..=PREFIXED).contains(&filter.pattern)
        && (ANY..=LAST_OPERATION).contains(&filter.operation)
        && (ANY..=ALLOW).contains(&filter.permission)
}

pub(crate) fn create(
    broker: &mut Broker,
    caller: &Caller,
    request: CreateAclsRequest,
    _version: i16,
    _now: Now,
) -> CreateAclsResponse {
    let allowed = broker.allowed(caller, Operation::Alter, Resource::Cluster);
    let results = request.creations.iter().map(|creation| {
        let result = AclCreationResult::default();
        let done = if allowed {
            add(broker, creation)
        } else {
            refusal(ResponseError::ClusterAuthorizationFailed, UNAUTHORIZED)
        };
        match done {
            Ok(()) => result,
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(why.map(StrBytes::from_string))
            }
        }
    });
    CreateAclsResponse::default().with_results(results.collect())
}

fn add(broker: &mut Broker, creation: &AclCreation) -> Result<(), Refusal> {
    let invalid = |why: String| refusal(ResponseError::InvalidRequest, why);
    let (resource, name) = (creation.resource_type, creation.resource_name.to_string());
    let pattern = creation.resource_pattern_type;
    if resource == CLUSTER && name != CLUSTER_NAME {
        return invalid(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}"));
    }
    if name.is_empty() {
        return invalid("Invalid empty resource name".to_owned());
    }
    if !(ANY + 1..=USER).contains(&resource) {
        return invalid(format!("Invalid resourceType {}", if resource == ANY { "ANY" } else { "UNKNOWN" }));
    }
    if ![LITERAL, PREFIXED].contains(&pattern) {
        let name = ["UNKNOWN", "ANY", "MATCH"].into_iter().nth(usize::try_from(pattern).unwrap_or_default());
        return invalid(format!("Invalid patternType {}", name.unwrap_or("UNKNOWN")));
    }
    if !(ANY + 1..=LAST_OPERATION).contains(&creation.operation) {
        return invalid(format!("Invalid operation {}", if creation.operation == ANY { "ANY" } else { "UNKNOWN" }));
    }
    if ![ALLOW, DENY].contains(&creation.permission_type) {
        let name = if creation.permission_type == ANY { "ANY" } else { "UNKNOWN" };
        return invalid(format!("Invalid permissionType {name}"));
    }
    let principal = creation.principal.to_string();
    if [&name, &principal].iter().any(|text| text.len() > LONGEST) || creation.host.len() > LONGEST {
        return invalid(format!("There are more than {LONGEST} bytes in a name."));
    }
    if !principal.contains(':') {
        let why = "(no colon is present separating the principal type from the principal name)";
        return invalid(format!("Could not parse principal from `{principal}` {why}"));
    }
    let acl = Acl {
        resource,
        name,
        pattern,
        principal,
        host: creation.host.to_string(),
        operation: creation.operation,
        permission: creation.permission_type,
    };
    if broker.security.acls.add(acl) {
        return Ok(());
    }
    refusal(ResponseError::PolicyViolation, "There are too many access control lists")
}

pub(crate) fn delete(
    broker: &mut Broker,
    caller: &Caller,
    request: DeleteAclsRequest,
    _version: i16,
    _now: Now,
) -> DeleteAclsResponse {
    let allowed = broker.allowed(caller, Operation::Alter, Resource::Cluster);
    let filters: Vec<Filter> = request.filters.iter().map(filter).collect();
    let known = filters.iter().all(is_known);
    let results = filters.iter().map(|filter| {
        let result = DeleteAclsFilterResult::default().with_error_message(None);
        let refused = |error: ResponseError, why: &str| {
            result.clone().with_error_code(error.code()).with_error_message(text(why))
        };
        if !allowed {
            return refused(ResponseError::ClusterAuthorizationFailed, UNAUTHORIZED);
        }
        if !known {
            return refused(ResponseError::InvalidRequest, "DeleteAcls: filters contain UNKNOWN elements");
        }
        let gone = broker.security.acls.remove(filter).into_iter().map(|acl| {
            DeleteAclsMatchingAcl::default()
                .with_error_message(None)
                .with_resource_type(acl.resource)
                .with_resource_name(StrBytes::from_string(acl.name))
                .with_pattern_type(acl.pattern)
                .with_principal(StrBytes::from_string(acl.principal))
                .with_host(StrBytes::from_string(acl.host))
                .with_operation(acl.operation)
                .with_permission_type(acl.permission)
        });
        let gone = gone.collect();
        result.with_matching_acls(gone)
    });
    let results = results.collect();
    DeleteAclsResponse::default().with_filter_results(results)
}

fn filter(filter: &DeleteAclsFilter) -> Filter {
    Filter {
        resource: filter.resource_type_filter,
        name: filter.resource_name_filter.as_ref().map(ToString::to_string),
        pattern: filter.pattern_type_filter,
        principal: filter.principal_filter.as_ref().map(ToString::to_string),
        host: filter.host_filter.as_ref().map(ToString::to_string),
        operation: filter.operation,
        permission: filter.permission_type,
    }
}
