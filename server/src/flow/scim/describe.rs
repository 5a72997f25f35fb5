//! What a connection offers its directory (RFC 7644 section 4): what is switched off is not announced.

use provost_scim::discovery::{self, Offer};
use provost_scim::list::{self, ListRequest, Page};
use provost_scim::{Mode, ResourceKind, ScimError, Version, v1};
use serde_json::{Map, Value};

use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::bulk;
use crate::flow::scim::lists;
use crate::flow::scim::target::Target;
use crate::scim_config::ScimOperation;

/// Answers a request for a discovery document.
///
/// # Errors
/// 403 for a filter, which RFC 7644 section 4 wants refused; 404 for what is not there.
pub fn answer(caller: &Caller, target: &Target, request: &ListRequest) -> Result<Answer, ScimError> {
    if request.has_filter() {
        return Err(ScimError::forbidden("discovery documents cannot be filtered"));
    }
    let (schemas, base) = (&caller.scim().schemas, caller.base.as_str());
    let version = caller.version;
    let body = match target {
        Target::ServiceProviderConfig => {
            let config = discovery::service_provider_config(&offer(caller), base);
            match version {
                Version::V1 => v1::service_provider_configs(&config),
                Version::V2 => config,
            }
        }
        Target::ResourceTypes(None) => {
            let types = discovery::resource_types(ResourceKind::ALL, schemas, base);
            match version {
                Version::V1 => v1::resource_types(&values(types)),
                Version::V2 => listed(types),
            }
        }
        Target::ResourceTypes(Some(id)) => {
            let kind = discovery::resource_type_by_id(ResourceKind::ALL, id)
                .ok_or_else(|| ScimError::not_found("The resource type"))?;
            Value::Object(discovery::resource_type(kind, schemas, base))
        }
        Target::Schemas(id) => return schemas_of(caller, id.as_deref()),
        Target::Collection(_) | Target::Resource(..) | Target::Search(_) | Target::Bulk | Target::Me => {
            return Err(ScimError::not_found("This address"));
        }
    };
    Ok(Answer::of(200, version, body))
}

fn schemas_of(caller: &Caller, id: Option<&str>) -> Result<Answer, ScimError> {
    let (schemas, base) = (&caller.scim().schemas, caller.base.as_str());
    let unknown = || ScimError::not_found("The schema");
    let body = match (caller.version, id) {
        (Version::V2, None) => listed(discovery::schemas(schemas, base)),
        (Version::V2, Some(id)) => {
            let found = discovery::schema_by_id(schemas, id).ok_or_else(unknown)?;
            Value::Object(discovery::schema(found, base))
        }
        (Version::V1, None) => v1::schemas(&values(discovery::schemas(schemas, base))),
        (Version::V1, Some(id)) => {
            v1::schema(&values(discovery::schemas(schemas, base)), id).ok_or_else(unknown)?
        }
    };
    Ok(Answer::of(200, caller.version, body))
}

fn offer(caller: &Caller) -> Offer {
    let scim = caller.scim();
    let changes = [
        ScimOperation::Update,
        ScimOperation::Deactivate,
        ScimOperation::Groups,
    ];
    Offer {
        patch: changes.iter().any(|operation| scim.config.allows(*operation)),
        bulk: true,
        bulk_operations: u64::try_from(bulk::LIMITS.max_operations).unwrap_or(u64::MAX),
        bulk_bytes: u64::try_from(bulk::LIMITS.max_payload_size).unwrap_or(u64::MAX),
        etag: scim.config.etag,
        most_results: lists::MOST,
        default_results: lists::USUAL,
        cursor_seconds: None,
        strict: scim.mode == Mode::Strict,
        oauth: true,
        documentation: None,
    }
}

fn listed(documents: Vec<Map<String, Value>>) -> Value {
    let total = u64::try_from(documents.len()).unwrap_or(u64::MAX);
    list::response(&Page::Index { start: 1, total }, documents)
}

fn values(documents: Vec<Map<String, Value>>) -> Vec<Value> {
    documents.into_iter().map(Value::Object).collect()
}
