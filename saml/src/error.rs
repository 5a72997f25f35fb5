//! The one error type of this crate: every refusal has its own stable code.
//!
//! Owns the codes and the plain-language reasons. Never carries key material, decrypted content or
//! attribute values: what an identity provider sent is quoted only where an administrator needs it to
//! repair a setting (issuer, audience, address), clipped and stripped of control characters.

use std::fmt;

/// Longest quotation of foreign text inside an error, in characters.
const QUOTE_MAX: usize = 200;

/// A piece of foreign text made safe to show: clipped and without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Quote(String);

impl Quote {
    /// Clips `text` to 200 characters and replaces control characters.
    pub fn new(text: &str) -> Self {
        let mut quoted: String = text
            .chars()
            .take(QUOTE_MAX)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        if text.chars().nth(QUOTE_MAX).is_some() {
            quoted.push('…');
        }
        Self(quoted)
    }

    /// Returns the quoted text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}”", self.0)
    }
}

impl fmt::Debug for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Declares the error enum, its texts and its codes from one table, so that none can be forgotten.
macro_rules! saml_errors {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident : $ty:ty),* })? = $code:literal, $text:literal;)*) => {
        /// Why a SAML message, key or metadata document was refused.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum SamlError {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nCode `", $code, "`.")]
                #[error($text)]
                $variant $({ $(#[doc = "What was seen or wanted."] $field: $ty),* })?,
            )*
        }

        impl SamlError {
            /// Returns the stable code of this refusal.
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$variant $({ $($field: _),* })? => $code,)* }
            }

            /// Every code this crate can return, in the order of the checks.
            pub const CODES: &'static [&'static str] = &[$($code,)*];

            /// Every code with its sentence, for documentation; what was seen stands in braces.
            pub const TEXTS: &'static [(&'static str, &'static str)] = &[$(($code, $text),)*];
        }
    };
}

saml_errors! {
    // Envelope: size, transport encoding, character set.
    /// The message is larger than [`crate::Limits`] allows.
    TooLarge = "saml_too_large", "the message is larger than allowed";
    /// The form value is not strict base64.
    Base64 = "saml_base64", "the message is not valid base64";
    /// The redirect query does not inflate (RFC 1951).
    Deflate = "saml_deflate", "the message cannot be decompressed";
    /// The inflated message exceeds the limit.
    InflateBomb = "saml_inflate_too_large", "the message decompresses to more than is allowed";
    /// A query parameter is missing, repeated or badly encoded.
    Query { name: &'static str } = "saml_query", "the query parameter {name} is missing, repeated or malformed";
    /// RelayState exceeds 80 bytes (SAML bindings 3.4.3).
    RelayStateTooLong = "saml_relay_state_too_long", "the relay state is longer than 80 bytes";
    /// The message is not UTF-8 or declares another encoding.
    NotUtf8 = "saml_not_utf8", "the message is not UTF-8";
    /// A character that XML 1.0 forbids, such as NUL.
    ForbiddenCharacter = "saml_forbidden_character", "the message contains a control character";

    // XML shape, before and right after the parser.
    /// A document type declaration: the door to entity attacks.
    Doctype = "saml_doctype", "the message contains a document type declaration";
    /// A comment: the truncation attack of CERT VU#475445.
    Comment = "saml_comment", "the message contains an XML comment";
    /// A processing instruction.
    ProcessingInstruction = "saml_processing_instruction", "the message contains a processing instruction";
    /// Nesting beyond the limit.
    TooDeep = "saml_too_deep", "the message is nested too deeply";
    /// More elements than allowed.
    TooManyNodes = "saml_too_many_nodes", "the message has too many elements";
    /// More attributes on one element than allowed.
    TooManyAttributes = "saml_too_many_attributes", "an element of the message has too many attributes";
    /// More than one root element, or text beside it.
    SeveralRoots = "saml_several_roots", "the message has content outside its one root element";
    /// Not well-formed XML with namespaces.
    Malformed = "saml_malformed", "the message is not well-formed XML";
    /// Relative namespace names canonicalize differently in different libraries.
    NamespaceRelative = "saml_namespace_relative", "the message uses a relative namespace name";
    /// More namespace declarations in scope than any honest sender needs.
    TooManyNamespaces = "saml_too_many_namespaces", "the message has too many namespace declarations";
    /// Two elements carry the same ID.
    DuplicateId = "saml_duplicate_id", "two elements of the message have the same ID";
    /// An ID in a namespace (`xml:id` and the like) instead of a plain one.
    QualifiedId = "saml_qualified_id", "the message uses a namespaced ID attribute";
    /// An ID is missing, empty or not a plain token.
    IdMalformed = "saml_id_malformed", "a message or assertion has no usable ID";

    // Structure: what may stand where.
    /// The root is another element than the one expected.
    RootUnexpected { found: Quote } = "saml_root_unexpected", "the message is a {found}, which is not what this address accepts";
    /// An element that may not stand where it stands.
    ElementUnexpected { name: Quote } = "saml_element_unexpected", "the element {name} is not allowed where it stands";
    /// An element that may stand once only stands twice.
    ElementRepeated { name: Quote } = "saml_element_repeated", "the element {name} appears more than once";
    /// An element that must be there is not.
    ElementMissing { name: &'static str } = "saml_element_missing", "the element {name} is missing";
    /// An attribute that must be there is not.
    AttributeMissing { name: &'static str } = "saml_attribute_missing", "the XML attribute {name} is missing";
    /// A second Response inside the message (signature wrapping).
    ResponseMisplaced = "saml_response_misplaced", "the message contains a second Response";
    /// An Assertion anywhere but directly under the Response (signature wrapping).
    AssertionMisplaced = "saml_assertion_misplaced", "the message contains an assertion in a place where none belongs";
    /// A Signature anywhere but directly under the Response or its assertion (signature wrapping).
    SignatureMisplaced = "saml_signature_misplaced", "the message contains a signature in a place where none belongs";
    /// No assertion in a successful response.
    AssertionMissing = "saml_assertion_missing", "the response contains no assertion";
    /// More than one assertion, plain or encrypted.
    SeveralAssertions = "saml_several_assertions", "the response contains more than one assertion";

    // Keys and certificates.
    /// The connection has no signing certificate, so nothing can be trusted.
    NoTrustedKey = "saml_no_trusted_key", "no signing certificate is configured for this identity provider";
    /// A certificate that cannot be read.
    CertificateMalformed = "saml_certificate_malformed", "the certificate cannot be read";
    /// RSA below 2048 bits.
    KeyTooWeak = "saml_key_too_weak", "the key is shorter than RSA 2048 bits";
    /// Neither RSA nor ECDSA on P-256 or P-384.
    KeyTypeRefused = "saml_key_type_refused", "the key is neither RSA nor ECDSA on P-256 or P-384";
    /// A private key that cannot be read as PKCS#8.
    PrivateKeyMalformed = "saml_private_key_malformed", "the private key cannot be read";
    /// Producing a signature failed inside the cryptographic library.
    SigningFailed = "saml_signing_failed", "the message could not be signed";

    // Signature profile.
    /// Nothing in the message is signed.
    SignatureMissing = "saml_signature_missing", "neither the message nor its assertion is signed";
    /// Two signatures under one element.
    SeveralSignatures = "saml_several_signatures", "an element carries more than one signature";
    /// The Signature has another shape than the one allowed.
    SignatureMalformed = "saml_signature_malformed", "the signature does not have the required form";
    /// An Object (and so possibly a Manifest) inside the Signature.
    SignatureObject = "saml_signature_object", "the signature carries an Object";
    /// Not exactly one SignedInfo.
    SignedInfoCount = "saml_signed_info_count", "the signature does not have exactly one SignedInfo";
    /// Not exactly one Reference.
    ReferenceCount = "saml_reference_count", "the signature does not cover exactly one element";
    /// The Reference points elsewhere than to the element around the signature.
    ReferenceMismatch = "saml_reference_mismatch", "the signature covers another element than the one around it";
    /// A transform other than enveloped-signature and canonicalization, or their absence.
    TransformRefused { uri: Quote } = "saml_transform_refused", "the signature uses the transform {uri}, which is not allowed";
    /// A canonicalization other than C14N 1.0, inclusive or exclusive.
    CanonicalizationRefused { uri: Quote } = "saml_canonicalization_refused", "the signature uses the canonicalization {uri}, which is not allowed";
    /// Canonicalization failed or gave nothing.
    CanonicalizationFailed = "saml_canonicalization_failed", "the signed content could not be canonicalized";
    /// A signature algorithm outside the allow-list (SHA-1, HMAC, …).
    AlgorithmRefused { uri: Quote } = "saml_algorithm_refused", "the signature algorithm {uri} is not allowed";
    /// A digest algorithm outside the allow-list.
    DigestAlgorithmRefused { uri: Quote } = "saml_digest_algorithm_refused", "the digest algorithm {uri} is not allowed";
    /// The algorithm named does not fit any configured key.
    KeyAlgorithmMismatch = "saml_key_algorithm_mismatch", "the signature algorithm does not fit the configured certificate";
    /// No configured key verifies the SignatureValue.
    SignatureInvalid = "saml_signature_invalid", "the signature was not made with a configured certificate, or was altered";
    /// The signature is genuine but the content was altered.
    DigestMismatch = "saml_digest_mismatch", "the signed content was altered";

    // Encryption.
    /// An encrypted assertion but no key to open it.
    NoDecryptionKey = "saml_no_decryption_key", "the assertion is encrypted but this connection has no decryption key";
    /// An encryption algorithm outside the allow-list.
    EncryptionAlgorithmRefused { uri: Quote } = "saml_encryption_algorithm_refused", "the encryption algorithm {uri} is not allowed";
    /// AES-CBC while the connection does not allow it.
    CbcRefused = "saml_cbc_refused", "the assertion is encrypted with AES-CBC, which this connection does not allow";
    /// AES-CBC without a signature over the ciphertext: a padding oracle.
    CbcUnsigned = "saml_cbc_unsigned", "AES-CBC is allowed only inside a signed response";
    /// The encrypted element has another shape than the one allowed.
    EncryptionMalformed = "saml_encryption_malformed", "the encrypted element does not have the required form";
    /// Decryption failed; deliberately one answer for every cause.
    DecryptionFailed = "saml_decryption_failed", "the encrypted content could not be opened";
    /// What came out of decryption is not the element expected.
    DecryptedUnexpected = "saml_decrypted_unexpected", "the encrypted content is not what was announced";
    /// Neither the ciphertext nor the decrypted assertion is signed.
    EncryptedUnsigned = "saml_encrypted_unsigned", "the encrypted assertion is signed neither inside nor outside";

    // Protocol.
    /// A Version other than 2.0.
    Version = "saml_version", "the message is not SAML 2.0";
    /// The identity provider answered with an error status.
    Status { code: Quote, subcode: Quote, message: Quote } = "saml_status", "the identity provider refused the sign-in: {code} {subcode} {message}";
    /// The signed response names no Destination.
    DestinationMissing = "saml_destination_missing", "the signed message names no Destination";
    /// The message was meant for another address.
    DestinationMismatch { expected: Quote, found: Quote } = "saml_destination_mismatch", "the message was sent to {found}, this address is {expected}";
    /// An Issuer that must be there is missing.
    IssuerMissing = "saml_issuer_missing", "the message or assertion names no issuer";
    /// The issuer is not the identity provider of this connection.
    IssuerMismatch { expected: Quote, found: Quote } = "saml_issuer_mismatch", "the issuer is {found}, this connection expects {expected}";
    /// The response answers no request although unsolicited ones are not allowed.
    Unsolicited = "saml_unsolicited", "the sign-in was started at the identity provider, which this connection does not allow";
    /// The response answers another request.
    InResponseToMismatch = "saml_in_response_to_mismatch", "the response does not answer the request that this browser made";
    /// A time that is not an XML dateTime.
    TimeMalformed = "saml_time_malformed", "the message contains a malformed time";
    /// Issued in the future, beyond the clock skew.
    IssuedInFuture = "saml_issued_in_future", "the message was issued in the future: compare the clocks";
    /// The assertion has no Conditions.
    ConditionsMissing = "saml_conditions_missing", "the assertion has no conditions";
    /// A condition this crate does not know must be refused (SAML core 2.5.1.1).
    ConditionUnknown { name: Quote } = "saml_condition_unknown", "the assertion has the unknown condition {name}";
    /// NotBefore lies in the future.
    NotYetValid = "saml_not_yet_valid", "the assertion is not valid yet: compare the clocks";
    /// NotOnOrAfter has passed.
    Expired = "saml_expired", "the message or assertion has expired";
    /// Older than the accepted lifetime although its own window is longer.
    TooOld = "saml_too_old", "the message is older than this service accepts";
    /// No AudienceRestriction.
    AudienceMissing = "saml_audience_missing", "the assertion is not restricted to an audience";
    /// The assertion is meant for another service provider.
    AudienceMismatch { expected: Quote, found: Quote } = "saml_audience_mismatch", "the assertion is meant for {found}, this service is {expected}";
    /// The assertion has no Subject or the Subject no NameID.
    NameIdMissing = "saml_name_id_missing", "the assertion names no subject (NameID)";
    /// A NameID with control characters or of absurd length.
    NameIdRefused = "saml_name_id_refused", "the subject identifier (NameID) contains control characters or is too long";
    /// No bearer SubjectConfirmation.
    BearerMissing = "saml_bearer_missing", "the assertion has no bearer confirmation";
    /// The confirmation names no Recipient.
    RecipientMissing = "saml_recipient_missing", "the bearer confirmation names no Recipient";
    /// The confirmation names another address.
    RecipientMismatch { expected: Quote, found: Quote } = "saml_recipient_mismatch", "the assertion is addressed to {found}, this address is {expected}";
    /// The confirmation has no NotOnOrAfter, so replay could not be bounded.
    ConfirmationUnbounded = "saml_confirmation_unbounded", "the bearer confirmation has no end of validity";
    /// The confirmation's window is over.
    ConfirmationExpired = "saml_confirmation_expired", "the bearer confirmation has expired";
    /// No AuthnStatement: not a sign-in (SAML profiles 4.1.4.2).
    AuthnStatementMissing = "saml_authn_statement_missing", "the assertion does not say how the person signed in";
    /// SessionNotOnOrAfter has passed.
    SessionExpired = "saml_session_expired", "the session at the identity provider is already over";
    /// The person signed in before the moment demanded.
    AuthnTooOld = "saml_authn_too_old", "a fresh sign-in was demanded but the identity provider reused an old one";
    /// The authentication context is none of those demanded.
    AuthnContextRefused { found: Quote } = "saml_authn_context_refused", "the way of signing in, {found}, is not among those demanded";

    // Metadata.
    /// No entity with an identity provider role, or not the one asked for.
    MetadataNoIdp = "saml_metadata_no_idp", "the metadata describes no identity provider";
    /// Several identity providers and none was chosen.
    MetadataSeveralIdps = "saml_metadata_several_idps", "the metadata describes several identity providers: name the entity ID";
    /// No signing certificate.
    MetadataNoCertificate = "saml_metadata_no_certificate", "the metadata has no signing certificate";
    /// No single sign-on address by Redirect or POST.
    MetadataNoEndpoint = "saml_metadata_no_endpoint", "the metadata has no sign-on address by redirect or POST";
    /// An address that is not an absolute http(s) URL.
    UrlMalformed = "saml_url_malformed", "an address is not an absolute web address";
    /// A duration that is not an XML duration.
    DurationMalformed = "saml_duration_malformed", "the metadata contains a malformed duration";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_prefixed() {
        let set: BTreeSet<_> = SamlError::CODES.iter().collect();
        assert_eq!(set.len(), SamlError::CODES.len());
        assert!(SamlError::CODES.iter().all(|code| code.starts_with("saml_")));
    }

    #[test]
    fn quotes_are_clipped_and_clean() {
        let quote = Quote::new(&format!("a\u{0}b\n{}", "x".repeat(500)));
        assert!(quote.as_str().starts_with("a\u{fffd}b\u{fffd}x"));
        assert_eq!(quote.as_str().chars().count(), QUOTE_MAX + 1);
    }
}
