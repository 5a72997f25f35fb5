//! The discovery documents: `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 section 4).
//!
//! Owns: saying truthfully what a connection offers; what is switched off is an argument. Never: knows the switches.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::ResourceKind;
use crate::schema::{Attribute, Kind, Schema, Schemas};

/// The URN of the service provider configuration.
pub const CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// The URN of a resource type.
pub const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// The URN of a schema.
pub const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// What a connection offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whether PATCH is served.
    pub patch: bool,
    /// Whether `/Bulk` is served; its limits are published either way.
    pub bulk: bool,
    /// The most operations of a bulk request.
    pub bulk_operations: u64,
    /// The largest bulk request, in bytes.
    pub bulk_bytes: u64,
    /// Whether entity tags are sent and checked.
    pub etag: bool,
    /// The most resources on a page.
    pub most_results: u64,
    /// The resources on a page if the client does not say.
    pub default_results: u64,
    /// How many seconds a cursor lives, if it ends.
    pub cursor_seconds: Option<u64>,
    /// Whether the connection is strict, which the interoperability profile asks for.
    pub strict: bool,
    /// Whether OAuth client credentials are accepted beside bearer tokens.
    pub oauth: bool,
    /// Help for administrators.
    pub documentation: Option<String>,
}

/// Renders the service provider configuration. `base` is the absolute base address without a slash at its end.
pub fn service_provider_config(offer: &Offer, base: &str) -> Value {
    let mut schemes = vec![json!({
        "type": "oauthbearertoken",
        "name": "Bearer token",
        "description": "A token of this connection, in the Authorization header",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "primary": true,
    })];
    if offer.oauth {
        schemes.push(json!({
            "type": "oauth2",
            "name": "OAuth client credentials",
            "description": "A short-lived token for the client of this connection",
            "specUri": "https://www.rfc-editor.org/info/rfc6749",
        }));
    }
    let mut pagination = json!({
        "cursor": true,
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": offer.default_results,
        "maxPageSize": offer.most_results,
    });
    set(&mut pagination, "cursorTimeout", offer.cursor_seconds);
    let mut config = json!({
        "schemas": [CONFIG_URN],
        "patch": { "supported": offer.patch },
        "bulk": {
            "supported": offer.bulk,
            "maxOperations": offer.bulk_operations,
            "maxPayloadSize": offer.bulk_bytes,
        },
        "filter": { "supported": true, "maxResults": offer.most_results },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": offer.etag },
        "authenticationSchemes": schemes,
        "pagination": pagination,
        "meta": meta("ServiceProviderConfig", &format!("{base}/ServiceProviderConfig")),
    });
    set(&mut config, "documentationUri", offer.documentation.as_deref());
    set(
        &mut config,
        "interopProfileConformant",
        offer.strict.then_some(true),
    );
    config
}

/// Renders the resource types that are served: every kind, or users only where groups are switched off.
pub fn resource_types(kinds: &[ResourceKind], schemas: &Schemas, base: &str) -> Vec<Map<String, Value>> {
    let types = kinds.iter().map(|kind| resource_type(*kind, schemas, base));
    types.collect()
}

/// Finds a resource type among the served ones by its id, which is its name.
pub fn resource_type_by_id(kinds: &[ResourceKind], id: &str) -> Option<ResourceKind> {
    let mut kinds = kinds.iter().copied();
    kinds.find(|kind| kind.name().eq_ignore_ascii_case(id))
}

/// Renders one resource type.
pub fn resource_type(kind: ResourceKind, schemas: &Schemas, base: &str) -> Map<String, Value> {
    let core = schemas.core(kind);
    let extensions = schemas.extensions(kind).iter();
    let extensions: Vec<Value> = extensions
        .map(|schema| json!({ "schema": schema.id, "required": false }))
        .collect();
    object([
        ("schemas", json!([RESOURCE_TYPE_URN])),
        ("id", kind.name().into()),
        ("name", kind.name().into()),
        ("description", core.description.as_str().into()),
        ("endpoint", kind.endpoint().into()),
        ("schema", core.id.as_str().into()),
        ("schemaExtensions", extensions.into()),
        (
            "meta",
            meta("ResourceType", &format!("{base}/ResourceTypes/{}", kind.name())),
        ),
    ])
}

/// Renders every schema.
pub fn schemas(schemas: &Schemas, base: &str) -> Vec<Map<String, Value>> {
    schemas
        .published()
        .map(|published| schema(published, base))
        .collect()
}

/// Finds a schema by its URN.
pub fn schema_by_id<'s>(schemas: &'s Schemas, id: &str) -> Option<&'s Schema> {
    schemas
        .published()
        .find(|schema| schema.id.eq_ignore_ascii_case(id))
}

/// Renders one schema.
pub fn schema(schema: &Schema, base: &str) -> Map<String, Value> {
    let attributes: Vec<Value> = schema.attributes.iter().map(|it| attribute(it)).collect();
    object([
        ("schemas", json!([SCHEMA_URN])),
        ("id", schema.id.as_str().into()),
        ("name", schema.name.as_str().into()),
        ("description", schema.description.as_str().into()),
        ("attributes", attributes.into()),
        ("meta", meta("Schema", &format!("{base}/Schemas/{}", schema.id))),
    ])
}

fn attribute(attribute: &Attribute) -> Value {
    let mut shown = json!({
        "name": attribute.name,
        "type": attribute.kind.as_str(),
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
        "mutability": attribute.mutability.as_str(),
        "returned": attribute.returned.as_str(),
        "uniqueness": attribute.uniqueness.as_str(),
    });
    let is_text = matches!(attribute.kind, Kind::String | Kind::Reference | Kind::Binary);
    set(&mut shown, "caseExact", is_text.then_some(attribute.case_exact));
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    set(&mut shown, "canonicalValues", some(&attribute.canonical_values));
    set(&mut shown, "referenceTypes", some(&attribute.reference_types));
    let subs: Vec<Value> = attribute.sub_attributes.iter().map(self::attribute).collect();
    set(&mut shown, "subAttributes", (!subs.is_empty()).then_some(subs));
    shown
}

fn meta(kind: &str, location: &str) -> Value {
    json!({ "resourceType": kind, "location": location })
}

fn object<const N: usize>(parts: [(&str, Value); N]) -> Map<String, Value> {
    parts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Sets a key if there is something to say.
fn set(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(value), Some(parts)) = (value, object.as_object_mut()) {
        parts.insert(name.to_owned(), value.into());
    }
}
