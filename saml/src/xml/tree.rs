//! One parse, one tree, strict navigation.
//!
//! Owns access to the parsed document: names are always compared with their namespace, attributes only
//! without one, and a leaf's text is always whole. Never searches by local name or across the tree.

use std::borrow::Cow;
use std::collections::HashSet;

use uppsala::{Document, NodeId, NodeKind};

use super::scan::{Dialect, scan};
use crate::error::{Quote, SamlError};
use crate::limits::Limits;

/// Most namespace declarations in scope at one place; bounds the work of canonicalization.
const MAX_NAMESPACES_IN_SCOPE: usize = 64;
/// Most pairs of an element and a namespace or prefix that canonicalization may have to look at. It compares
/// every declaration in scope at every element, so a small message could otherwise cost half a second.
pub(crate) const MAX_NAMESPACE_WORK: usize = 150_000;
/// Longest ID accepted.
const MAX_ID: usize = 256;

/// A parsed document that passed every check on shape.
pub(crate) struct Tree<'a> {
    doc: Document<'a>,
    root: NodeId,
    elements: usize,
}

/// One element of a [`Tree`].
#[derive(Clone, Copy)]
pub(crate) struct Node<'t, 'a> {
    tree: &'t Tree<'a>,
    id: NodeId,
}

impl<'a> Tree<'a> {
    /// Scans, parses and checks `text`.
    pub(crate) fn parse(text: &'a str, limits: &Limits, dialect: Dialect) -> Result<Self, SamlError> {
        scan(text, limits, dialect)?;
        // The scan has bounded depth and refused DTDs; both are asked of the parser again.
        let depth = u32::try_from(limits.max_depth)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let doc = uppsala::parser::Parser::new()
            .with_max_depth(depth)
            .with_forbid_dtd(true)
            .with_forbid_entities(true)
            .parse(text)
            .map_err(|_| SamlError::Malformed)?;
        let root = doc.document_element().ok_or(SamlError::Malformed)?;
        let mut tree = Self {
            doc,
            root,
            elements: 0,
        };
        tree.check_namespaces(dialect)?;
        if dialect == Dialect::Message {
            tree.check_ids()?;
        }
        Ok(tree)
    }

    /// Returns the root element.
    pub(crate) fn root(&self) -> Node<'_, 'a> {
        Node {
            tree: self,
            id: self.root,
        }
    }

    /// Returns the underlying document, for canonicalization only.
    pub(crate) fn document(&self) -> &Document<'a> {
        &self.doc
    }

    /// Returns the number of elements.
    pub(crate) fn elements(&self) -> usize {
        self.elements
    }

    /// Refuses relative namespace names and runaway declarations, and counts the elements.
    fn check_namespaces(&mut self, dialect: Dialect) -> Result<(), SamlError> {
        let mut work = 0usize;
        let mut open = vec![(self.root, 0usize)];
        while let Some((id, inherited)) = open.pop() {
            let Some(element) = self.doc.element(id) else {
                continue;
            };
            for (prefix, name) in &element.namespace_declarations {
                // Namespaces 1.0 has no undeclaring of prefixes; parsers differ on it.
                if name.is_empty() && !prefix.is_empty() {
                    return Err(SamlError::Malformed);
                }
                if !name.is_empty() && !name.contains(':') {
                    return Err(SamlError::NamespaceRelative);
                }
            }
            let in_scope = inherited.saturating_add(element.namespace_declarations.len());
            self.elements += 1;
            work = work.saturating_add(in_scope);
            // Metadata is never canonicalized.
            let toil = dialect == Dialect::Message && work > MAX_NAMESPACE_WORK;
            if in_scope > MAX_NAMESPACES_IN_SCOPE || toil {
                return Err(SamlError::TooManyNamespaces);
            }
            open.extend(self.doc.children_iter(id).map(|child| (child, in_scope)));
        }
        Ok(())
    }

    /// Refuses duplicate IDs (of SAML and of XML Signature alike) and IDs in a namespace.
    fn check_ids(&self) -> Result<(), SamlError> {
        let mut seen = HashSet::new();
        for node in self.root().with_descendants() {
            let Some(element) = self.doc.element(node.id) else {
                continue;
            };
            for attribute in &element.attributes {
                let local = attribute.name.local_name.as_ref();
                if !local.eq_ignore_ascii_case("id") {
                    continue;
                }
                if attribute.name.namespace_uri.is_some() {
                    return Err(SamlError::QualifiedId);
                }
                if matches!(local, "ID" | "Id") && !seen.insert(attribute.value.as_ref()) {
                    return Err(SamlError::DuplicateId);
                }
            }
        }
        Ok(())
    }
}

impl<'t, 'a> Node<'t, 'a> {
    /// Returns the arena index, for canonicalization only.
    pub(crate) fn node_id(self) -> NodeId {
        self.id
    }

    /// Returns the tree this element belongs to.
    pub(crate) fn tree(self) -> &'t Tree<'a> {
        self.tree
    }

    /// Whether the element has exactly this namespace and local name.
    pub(crate) fn is(self, namespace: &str, local: &str) -> bool {
        self.tree
            .doc
            .element(self.id)
            .is_some_and(|e| e.name.matches(Some(namespace), local))
    }

    /// Returns the namespace name, empty for none.
    pub(crate) fn namespace(self) -> &'t str {
        self.tree
            .doc
            .element(self.id)
            .and_then(|e| e.name.namespace_uri.as_deref())
            .unwrap_or("")
    }

    /// Returns the local name.
    pub(crate) fn local(self) -> &'t str {
        self.tree
            .doc
            .element(self.id)
            .map_or("", |e| e.name.local_name.as_ref())
    }

    /// Returns the name for an error text.
    pub(crate) fn quoted_name(self) -> Quote {
        Quote::new(self.local())
    }

    /// Returns the attribute of this name that is in no namespace.
    pub(crate) fn attr(self, local: &str) -> Option<&'t str> {
        let element = self.tree.doc.element(self.id)?;
        element
            .attributes
            .iter()
            .find(|a| a.name.matches(None, local))
            .map(|a| a.value.as_ref())
    }

    /// Returns the attribute of this name in this namespace.
    pub(crate) fn attr_ns(self, namespace: &str, local: &str) -> Option<&'t str> {
        self.tree.doc.element(self.id)?.get_attribute_ns(namespace, local)
    }

    /// Returns the attribute or an error that names it.
    pub(crate) fn need_attr(self, local: &'static str) -> Result<&'t str, SamlError> {
        self.attr(local)
            .ok_or(SamlError::AttributeMissing { name: local })
    }

    /// Returns the unqualified `ID`, checked to be a plain non-empty token.
    pub(crate) fn need_id(self) -> Result<&'t str, SamlError> {
        let id = self.attr("ID").ok_or(SamlError::IdMalformed)?;
        let plain = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|b| b.is_ascii_graphic());
        if plain {
            Ok(id)
        } else {
            Err(SamlError::IdMalformed)
        }
    }

    /// Iterates over the child elements.
    pub(crate) fn children(self) -> impl Iterator<Item = Node<'t, 'a>> {
        self.tree
            .doc
            .children_iter(self.id)
            .filter(move |id| self.tree.doc.element(*id).is_some())
            .map(move |id| Node { tree: self.tree, id })
    }

    /// Iterates over the child elements of one name.
    pub(crate) fn children_named(
        self,
        namespace: &'t str,
        local: &'t str,
    ) -> impl Iterator<Item = Node<'t, 'a>> {
        self.children().filter(move |child| child.is(namespace, local))
    }

    /// Returns the child of this name, refusing a second one.
    pub(crate) fn child(self, namespace: &'t str, local: &'t str) -> Result<Option<Node<'t, 'a>>, SamlError> {
        let mut found = self.children_named(namespace, local);
        let first = found.next();
        match found.next() {
            Some(second) => Err(SamlError::ElementRepeated {
                name: second.quoted_name(),
            }),
            None => Ok(first),
        }
    }

    /// Returns the one child of this name or an error that names it.
    pub(crate) fn need_child(
        self,
        namespace: &'t str,
        local: &'static str,
    ) -> Result<Node<'t, 'a>, SamlError> {
        self.child(namespace, local)?
            .ok_or(SamlError::ElementMissing { name: local })
    }

    /// Returns the element and everything below it, without recursion, in no promised order.
    pub(crate) fn with_descendants(self) -> Vec<Node<'t, 'a>> {
        let mut all = Vec::new();
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            all.push(node);
            open.extend(node.children());
        }
        all
    }

    /// Returns the parent element, `None` at the root.
    pub(crate) fn parent(self) -> Option<Node<'t, 'a>> {
        let id = self.tree.doc.parent(self.id)?;
        self.tree.doc.element(id).map(|_| Node { tree: self.tree, id })
    }

    /// Whether both are the same element of the same tree.
    pub(crate) fn same(self, other: Node<'_, '_>) -> bool {
        self.id == other.id
    }

    /// Returns the whole text of a leaf; a child element is an error, so that no text can hide.
    pub(crate) fn text(self) -> Result<Cow<'t, str>, SamlError> {
        let mut text = Cow::Borrowed("");
        for id in self.tree.doc.children_iter(self.id) {
            match self.tree.doc.node_kind(id) {
                Some(NodeKind::Text(piece) | NodeKind::CData(piece)) => {
                    if text.is_empty() {
                        text = Cow::Borrowed(piece.as_ref());
                    } else {
                        text.to_mut().push_str(piece);
                    }
                }
                Some(NodeKind::Element(_)) => {
                    return Err(SamlError::ElementUnexpected {
                        name: Node { tree: self.tree, id }.quoted_name(),
                    });
                }
                // Only metadata can hold these; they are no part of the value.
                Some(NodeKind::Comment(_) | NodeKind::ProcessingInstruction(_)) => {}
                Some(NodeKind::Document | NodeKind::Attribute(..)) | None => {
                    return Err(SamlError::Malformed);
                }
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        Tree::parse(text, &Limits::MESSAGE, Dialect::Message)
            .err()
            .map_or("ok", |e| e.code())
    }

    #[test]
    fn namespaces_and_ids_are_checked() {
        assert_eq!(code("<a ID='x'><b ID='y'/></a>"), "ok");
        assert_eq!(code("<a ID='x'><b ID='x'/></a>"), "saml_duplicate_id");
        assert_eq!(code("<a ID='x'><b Id='x'/></a>"), "saml_duplicate_id");
        assert_eq!(code("<a xml:id='x'/>"), "saml_qualified_id");
        assert_eq!(code("<a xmlns='relative'/>"), "saml_namespace_relative");
        assert_eq!(code("<p:a/>"), "saml_malformed");
        assert_eq!(code("<a xmlns:p='urn:x'><b xmlns:p=''/></a>"), "saml_malformed");
        assert_eq!(code("<a b='1' b='2'/>"), "saml_malformed");
        assert_eq!(
            code("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>"),
            "saml_malformed"
        );
        assert_eq!(code("<a>&x;</a>"), "saml_malformed");
        assert_eq!(code("<a>&#0;</a>"), "saml_malformed");
        let many = (0..30)
            .map(|i| format!(" xmlns:p{i}='urn:{i}'"))
            .collect::<Vec<_>>()
            .concat();
        let nested = format!("<a{many}><b{many}><c{many}><d{many}><e{many}/></d></c></b></a>");
        assert_eq!(code(&nested), "saml_too_many_namespaces");
        let wide = |count: usize| format!("<a{many}>{}</a>", "<b/>".repeat(count));
        assert_eq!(code(&wide(4_999)), "ok");
        assert_eq!(code(&wide(5_000)), "saml_too_many_namespaces");
    }

    #[test]
    fn leaf_text_is_whole() {
        let text = "<a>ad<![CDATA[min]]>@x</a>";
        let tree = Tree::parse(text, &Limits::MESSAGE, Dialect::Message).unwrap();
        assert_eq!(tree.root().text().unwrap(), "admin@x");
        let commented = "<a>ad<!-- x -->min</a>";
        let tree = Tree::parse(commented, &Limits::METADATA, Dialect::Metadata).unwrap();
        assert_eq!(tree.root().text().unwrap(), "admin");
        let hidden = Tree::parse("<a>x<b/></a>", &Limits::MESSAGE, Dialect::Message).unwrap();
        assert!(hidden.root().text().is_err());
    }
}
