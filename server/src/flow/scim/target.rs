//! What an address below `/scim/{connection}/v…` names, and which methods it takes. Pure.

use provost_scim::{ResourceKind, Version};

/// What a request does to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Creates, or asks by a body.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
    /// Anything else.
    Other,
}

impl Verb {
    /// Reads the name of a method.
    pub fn of(method: &str) -> Self {
        match method {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }

    /// Returns the name of the method.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "other",
        }
    }
}

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// What this server can do.
    ServiceProviderConfig,
    /// The list of resource types, or one of them.
    ResourceTypes(Option<String>),
    /// The list of schemas, or one of them.
    Schemas(Option<String>),
    /// All people or all groups.
    Collection(ResourceKind),
    /// One person or group.
    Resource(ResourceKind, String),
    /// A search by a body; of both kinds at the root.
    Search(Option<ResourceKind>),
    /// Several operations in one request.
    Bulk,
    /// The person of the token, which no token here has.
    Me,
}

impl Target {
    /// Reads the segments after the version.
    pub fn parse(version: Version, segments: &[String]) -> Option<Self> {
        let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        // 1.1 lets a client choose the format by a suffix (draft-scim-api-01 3.2.2.5).
        if version == Version::V1
            && let Some(last) = segments.last_mut()
        {
            *last = last.strip_suffix(".json").unwrap_or(last);
        }
        match segments.as_slice() {
            // The second name is that of Microsoft's reference code, which its published tests ask for.
            ["ServiceProviderConfig" | "serviceConfiguration"] => Some(Self::ServiceProviderConfig),
            ["ServiceProviderConfigs"] if version == Version::V1 => Some(Self::ServiceProviderConfig),
            ["ResourceTypes"] => Some(Self::ResourceTypes(None)),
            ["ResourceTypes", name] => Some(Self::ResourceTypes(Some((*name).to_owned()))),
            ["Schemas"] => Some(Self::Schemas(None)),
            ["Schemas", urn] => Some(Self::Schemas(Some((*urn).to_owned()))),
            [".search"] => Some(Self::Search(None)),
            ["Bulk"] => Some(Self::Bulk),
            ["Me", ..] => Some(Self::Me),
            [collection] => kind(collection).map(Self::Collection),
            [collection, ".search"] => kind(collection).map(|kind| Self::Search(Some(kind))),
            // No identifier holds a NUL, and PostgreSQL could not even look for one.
            [collection, id] if !id.contains('\0') => {
                kind(collection).map(|kind| Self::Resource(kind, (*id).to_owned()))
            }
            _ => None,
        }
    }

    /// Lists the methods that the target takes.
    pub const fn methods(&self) -> &'static [Verb] {
        match self {
            Self::ServiceProviderConfig | Self::ResourceTypes(_) | Self::Schemas(_) => &[Verb::Get],
            Self::Collection(_) => &[Verb::Get, Verb::Post],
            Self::Resource(..) => &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete],
            Self::Search(_) | Self::Bulk => &[Verb::Post],
            Self::Me => &[
                Verb::Get,
                Verb::Post,
                Verb::Put,
                Verb::Patch,
                Verb::Delete,
                Verb::Other,
            ],
        }
    }

    /// Returns the methods as the `Allow` header lists them.
    pub fn allow(&self) -> String {
        let names: Vec<&str> = self.methods().iter().map(|verb| verb.name()).collect();
        names.join(", ")
    }

    /// Names the target in one word, for the request log.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::ServiceProviderConfig | Self::ResourceTypes(_) | Self::Schemas(_) => "discovery",
            Self::Collection(ResourceKind::User)
            | Self::Resource(ResourceKind::User, _)
            | Self::Search(Some(ResourceKind::User)) => "user",
            Self::Collection(ResourceKind::Group)
            | Self::Resource(ResourceKind::Group, _)
            | Self::Search(Some(ResourceKind::Group)) => "group",
            Self::Search(None) => "all",
            Self::Bulk => "bulk",
            Self::Me => "me",
        }
    }
}

/// In any letter case: addresses are typed by people.
fn kind(segment: &str) -> Option<ResourceKind> {
    ResourceKind::ALL.iter().copied().find(|kind| {
        kind.endpoint()
            .trim_start_matches('/')
            .eq_ignore_ascii_case(segment)
    })
}

#[cfg(test)]
mod tests {
    use provost_scim::{ResourceKind, Version};

    use super::Target;

    fn target(version: Version, path: &str) -> Option<Target> {
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        Target::parse(version, &segments)
    }

    #[test]
    fn r150_every_address_of_the_protocol_is_known_and_no_other() {
        let (v1, v2) = (Version::V1, Version::V2);
        assert_eq!(target(v2, "Users"), Some(Target::Collection(ResourceKind::User)));
        assert_eq!(
            target(v2, "Groups/.search"),
            Some(Target::Search(Some(ResourceKind::Group)))
        );
        assert_eq!(target(v2, ".search"), Some(Target::Search(None)));
        assert_eq!(
            target(v2, "Users/u.json"),
            Some(Target::Resource(ResourceKind::User, "u.json".into()))
        );
        assert_eq!(
            target(v1, "Users/u.json"),
            Some(Target::Resource(ResourceKind::User, "u".into()))
        );
        assert_eq!(
            target(v1, "ServiceProviderConfigs"),
            Some(Target::ServiceProviderConfig)
        );
        assert_eq!(target(v2, "Me/x"), Some(Target::Me));
        // As Microsoft's published tests write them.
        assert_eq!(target(v2, "users"), Some(Target::Collection(ResourceKind::User)));
        assert_eq!(
            target(v2, "serviceConfiguration"),
            Some(Target::ServiceProviderConfig)
        );
        for none in ["", "Users/u/x", "ServiceProviderConfigs", "Devices"] {
            assert_eq!(target(v2, none), None, "{none}");
        }
    }
}
