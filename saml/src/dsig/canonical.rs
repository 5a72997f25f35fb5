//! Canonicalization of one element, optionally without its signature. An empty result is an error.

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use uppsala::{Document, NodeId};

use crate::error::{Quote, SamlError};
use crate::xml::{MAX_NAMESPACE_WORK, Node, names};

/// Most prefixes in one InclusiveNamespaces list: each is looked up at every element.
const MAX_PREFIXES: usize = 16;

/// An allowed canonicalization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Canonicalization {
    /// Canonical XML 1.0.
    Inclusive,
    /// Exclusive canonicalization 1.0 with its InclusiveNamespaces prefixes.
    Exclusive(Vec<String>),
}

impl Canonicalization {
    /// Whether `uri` names a canonicalization that is allowed.
    pub(crate) fn is_allowed(uri: &str) -> bool {
        matches!(uri, names::EXC_C14N | names::EXC_C14N_COMMENTS | names::C14N)
    }

    /// Reads the algorithm and parameters of a `CanonicalizationMethod` or `Transform` element.
    pub(crate) fn read(element: Node<'_, '_>) -> Result<Self, SamlError> {
        let uri = element.need_attr("Algorithm")?;
        let parameters = element.child(names::EXC_C14N, "InclusiveNamespaces")?;
        if element.children().count() > usize::from(parameters.is_some()) {
            return Err(SamlError::SignatureMalformed);
        }
        match uri {
            names::EXC_C14N | names::EXC_C14N_COMMENTS => {
                let list = parameters
                    .map(|p| p.need_attr("PrefixList"))
                    .transpose()?
                    .unwrap_or("");
                let prefixes: Vec<String> = list.split_ascii_whitespace().map(str::to_owned).collect();
                if prefixes.len() > MAX_PREFIXES {
                    return Err(SamlError::TooManyNamespaces);
                }
                Ok(Self::Exclusive(prefixes))
            }
            names::C14N if parameters.is_none() => Ok(Self::Inclusive),
            _ => Err(SamlError::CanonicalizationRefused { uri: Quote::new(uri) }),
        }
    }

    /// Canonicalizes `element`, leaving out the subtree `without`.
    ///
    /// The attack behind the emptiness check: a library that fails silently digests nothing, and the digest
    /// of nothing is known to everyone (CVE-2025-66568).
    pub(crate) fn apply(
        &self,
        element: Node<'_, '_>,
        without: Option<Node<'_, '_>>,
    ) -> Result<String, SamlError> {
        let prefixes = match self {
            Self::Inclusive => 0,
            Self::Exclusive(prefixes) => prefixes.len(),
        };
        if element.tree().elements().saturating_mul(prefixes) > MAX_NAMESPACE_WORK {
            return Err(SamlError::TooManyNamespaces);
        }
        self.apply_raw(
            element.tree().document(),
            element.node_id(),
            without.map(Node::node_id),
        )
    }

    /// Canonicalizes by arena index.
    pub(crate) fn apply_raw(
        &self,
        doc: &Document<'_>,
        element: NodeId,
        without: Option<NodeId>,
    ) -> Result<String, SamlError> {
        let mut set = NodeSet::tree_without_comments(element, doc);
        if let Some(signature) = without {
            set.remove_id(signature);
            for id in doc.descendants(signature) {
                set.remove_id(id);
            }
        }
        let (mode, prefixes): (_, &[String]) = match self {
            Self::Inclusive => (C14nMode::Inclusive, &[]),
            Self::Exclusive(prefixes) => (C14nMode::Exclusive, prefixes),
        };
        let bytes = canonicalize_doc(doc, mode, Some(&set), prefixes)
            .map_err(|_| SamlError::CanonicalizationFailed)?;
        if bytes.is_empty() {
            return Err(SamlError::CanonicalizationFailed);
        }
        String::from_utf8(bytes).map_err(|_| SamlError::CanonicalizationFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::xml::{Dialect, Tree};

    #[test]
    fn nothing_is_never_a_canonical_form() {
        let tree = Tree::parse("<a><b/></a>", &Limits::MESSAGE, Dialect::Message).unwrap();
        for method in [
            Canonicalization::Inclusive,
            Canonicalization::Exclusive(Vec::new()),
        ] {
            let lost = method.apply_raw(tree.document(), NodeId::new(9999), None);
            assert_eq!(lost, Err(SamlError::CanonicalizationFailed));
            let hidden = method.apply(tree.root(), Some(tree.root()));
            assert_eq!(hidden, Err(SamlError::CanonicalizationFailed));
            assert_eq!(method.apply(tree.root(), None).unwrap(), "<a><b></b></a>");
        }
    }

    #[test]
    fn prefix_lists_over_many_elements_are_refused() {
        let listed = Canonicalization::Exclusive((0..16).map(|i| format!("p{i}")).collect());
        for (count, accepted) in [(9_374, true), (9_375, false)] {
            let text = format!("<a>{}</a>", "<b/>".repeat(count));
            let tree = Tree::parse(&text, &Limits::MESSAGE, Dialect::Message).unwrap();
            let outcome = listed.apply(tree.root(), None);
            assert_eq!(outcome.is_ok(), accepted, "{count}");
            assert!(accepted || outcome == Err(SamlError::TooManyNamespaces));
        }
    }
}
