//! The schemas of the discovery documents themselves (RFC 7643 sections 5, 6, 7 and 8.7.2), published because RFC 7644
//! section 4 asks for them and the conformance testers look for them.

use super::Schema;
use super::attribute::{Attribute, Kind, Mutability};

/// `ServiceProviderConfig`, `ResourceType` and `Schema`.
pub(super) fn schemas() -> Vec<Schema> {
    vec![service_provider_config(), resource_type(), schema()]
}

fn service_provider_config() -> Schema {
    let supported = || Attribute::boolean("supported", "Whether it is offered.").required();
    let whole = |name, description| Attribute::new(name, Kind::Integer, description);
    let bulk = vec![
        supported(),
        whole("maxOperations", "The most operations of one request.").required(),
        whole("maxPayloadSize", "The largest request, in bytes.").required(),
    ];
    let filter = vec![
        supported(),
        whole("maxResults", "The most resources of one answer.").required(),
    ];
    let pagination = vec![
        Attribute::boolean("cursor", "Whether cursors are offered.").required(),
        Attribute::boolean("index", "Whether startIndex is offered.").required(),
        Attribute::text("defaultPaginationMethod", "What a request without either gets.")
            .usual(&["cursor", "index"]),
        whole("defaultPageSize", "The size of a page if none is asked for."),
        whole("maxPageSize", "The largest page."),
        whole("cursorTimeout", "How many seconds a cursor lives."),
    ];
    let schemes = vec![
        Attribute::text("type", "The kind of the scheme.")
            .required()
            .usual(&["oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"]),
        Attribute::text("name", "The name of the scheme.").required(),
        Attribute::text("description", "A description of the scheme.").required(),
        Attribute::reference("specUri", &["external"], "The specification of the scheme."),
        Attribute::reference("documentationUri", &["external"], "Help for the scheme."),
        Attribute::boolean("primary", "Whether this is the preferred scheme."),
    ];
    let one = |name, description, subs| Attribute::complex(name, description, subs).required();
    read_only(
        "ServiceProviderConfig",
        "What this service offers",
        vec![
            Attribute::reference("documentationUri", &["external"], "Help for administrators."),
            one("patch", "Whether PATCH is offered.", vec![supported()]),
            one("bulk", "Whether bulk requests are offered.", bulk),
            one("filter", "Whether filters are offered.", filter),
            one(
                "changePassword",
                "Whether passwords can be changed.",
                vec![supported()],
            ),
            one("sort", "Whether answers can be sorted.", vec![supported()]),
            one("etag", "Whether entity tags are offered.", vec![supported()]),
            one(
                "authenticationSchemes",
                "How clients prove who they are.",
                schemes,
            )
            .many(),
            Attribute::boolean(
                "interopProfileConformant",
                "Whether the interoperability profile is kept to; strict connections say so.",
            ),
            Attribute::complex("pagination", "How long answers are split.", pagination),
        ],
    )
}

fn resource_type() -> Schema {
    let extensions = vec![
        Attribute::reference("schema", &["uri"], "The URN of the extension.").required(),
        Attribute::boolean("required", "Whether a resource must have it.").required(),
    ];
    read_only(
        "ResourceType",
        "A type of resource",
        vec![
            Attribute::text("id", "The identifier of the type."),
            Attribute::text("name", "The name of the type.").required(),
            Attribute::text("description", "A description of the type."),
            Attribute::reference("endpoint", &["uri"], "The address below the base address.").required(),
            Attribute::reference("schema", &["uri"], "The URN of the core schema.").required(),
            Attribute::complex("schemaExtensions", "The extensions of the type.", extensions)
                .many()
                .required(),
        ],
    )
}

fn schema() -> Schema {
    let mut attributes = characteristics();
    attributes.push(
        Attribute::complex(
            "subAttributes",
            "The parts of a complex attribute.",
            characteristics(),
        )
        .many(),
    );
    read_only(
        "Schema",
        "A schema",
        vec![
            Attribute::text("id", "The URN of the schema.").required(),
            Attribute::text("name", "The name of the schema.").required(),
            Attribute::text("description", "A description of the schema."),
            Attribute::complex("attributes", "The attributes of the schema.", attributes)
                .many()
                .required(),
        ],
    )
}

fn characteristics() -> Vec<Attribute> {
    let kinds = [
        "string",
        "complex",
        "boolean",
        "decimal",
        "integer",
        "dateTime",
        "reference",
        "binary",
    ];
    let mutability = ["readOnly", "readWrite", "immutable", "writeOnly"];
    vec![
        Attribute::text("name", "The name of the attribute.")
            .required()
            .exact(),
        Attribute::text("type", "The data type.").required().usual(&kinds),
        Attribute::boolean("multiValued", "Whether the value is a list.").required(),
        Attribute::text("description", "A description of the attribute."),
        Attribute::boolean("required", "Whether a resource must have it."),
        Attribute::text("canonicalValues", "The usual values.")
            .many()
            .exact(),
        Attribute::boolean("caseExact", "Whether upper and lower case differ."),
        Attribute::text("mutability", "Who may write it.")
            .exact()
            .usual(&mutability),
        Attribute::text("returned", "When it is returned.")
            .exact()
            .usual(&["always", "never", "default", "request"]),
        Attribute::text("uniqueness", "Whether values are unique.")
            .exact()
            .usual(&["none", "server", "global"]),
        Attribute::text("referenceTypes", "What a reference points to.")
            .many()
            .exact(),
    ]
}

fn read_only(name: &str, description: &str, attributes: Vec<Attribute>) -> Schema {
    let attributes = attributes
        .into_iter()
        .map(|attribute| attribute.mutability(Mutability::ReadOnly));
    Schema::of(
        &format!("urn:ietf:params:scim:schemas:core:2.0:{name}"),
        name,
        description,
        attributes.collect(),
    )
}
