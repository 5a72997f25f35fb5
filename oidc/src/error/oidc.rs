//! The checks on messages from outside, one variant per check.
//!
//! Owns the names; the checks live beside the code that makes them. Never: payloads.

super::coded_errors! {
    /// A message from an identity provider or an app failed a check.
    OidcError {
        // Sizes and syntax.
        TokenTooLarge = "token_too_large", "the token is larger than allowed";
        TokenMalformed = "token_malformed", "the token is not three base64url parts";
        TokenEncrypted = "token_encrypted", "the token is encrypted, which is not supported";
        HeaderMalformed = "header_malformed", "the token header is not a valid JSON object";
        ClaimsMalformed = "claims_malformed", "the token claims are not a valid JSON object";
        DocumentTooLarge = "document_too_large", "the document is larger than allowed";
        DocumentMalformed = "document_malformed", "the document is not a valid JSON object";
        // Signature.
        AlgNone = "alg_none", "the token is not signed";
        AlgSymmetric = "alg_symmetric", "the token is signed with a shared secret, which is not accepted";
        AlgUnknown = "alg_unknown", "the signature algorithm is not supported";
        AlgNotAllowed = "alg_not_allowed", "the signature algorithm is not on the allow-list";
        AlgKeyMismatch = "alg_key_mismatch", "the signature algorithm does not fit the type of the key";
        CritUnsupported = "crit_unsupported", "the token demands header extensions that are not supported";
        KidUnknown = "kid_unknown", "no published key has the token's key id";
        KidRequired = "kid_required", "several keys fit and the token does not name one";
        NoUsableKey = "no_usable_key", "no usable signing key is published";
        SignatureInvalid = "signature_invalid", "the signature does not verify";
        TypWrong = "typ_wrong", "the token is of another type";
        JwksTooManyKeys = "jwks_too_many_keys", "the key set has more than 50 keys";
        JwksMalformed = "jwks_malformed", "the key set has no array of keys";
        KeyInvalid = "key_invalid", "the private key cannot be used";
        SigningFailed = "signing_failed", "the signature could not be made";
        // Claims.
        IssMissing = "iss_missing", "the token names no issuer";
        IssMismatch = "iss_mismatch", "the token is from another issuer";
        SubMissing = "sub_missing", "the token names no subject";
        SubInvalid = "sub_invalid", "the subject is empty, too long or not a plain text";
        AudMissing = "aud_missing", "the token names no audience";
        AudMismatch = "aud_mismatch", "the token is meant for another audience";
        AzpMissing = "azp_missing", "the token has several audiences and no authorized party";
        AzpMismatch = "azp_mismatch", "the authorized party is another client";
        ExpMissing = "exp_missing", "the token has no expiry";
        Expired = "expired", "the token has expired";
        IatMissing = "iat_missing", "the token has no issue time";
        IatInFuture = "iat_in_future", "the token was issued in the future";
        IatStale = "iat_stale", "the token was issued too long ago";
        NotYetValid = "not_yet_valid", "the token is not valid yet";
        TimeInvalid = "time_invalid", "a time in the token is not a valid number";
        NonceMissing = "nonce_missing", "the token has no nonce";
        NonceMismatch = "nonce_mismatch", "the nonce is not the one sent";
        AuthTimeMissing = "auth_time_missing", "the time of authentication was asked for and is missing";
        AuthTimeTooOld = "auth_time_too_old", "the authentication is older than asked for";
        AtHashMismatch = "at_hash_mismatch", "the token does not belong to the access token";
        CHashMismatch = "c_hash_mismatch", "the token does not belong to the code";
        JtiMissing = "jti_missing", "the token has no id";
        ScopeInsufficient = "scope_insufficient", "the access token lacks the scope";
        // Logout tokens.
        LogoutEventMissing = "logout_event_missing", "the logout token has no events claim";
        LogoutEventWrong = "logout_event_wrong", "the logout token does not carry the back-channel logout event";
        LogoutNoncePresent = "logout_nonce_present", "the logout token has a nonce";
        LogoutSubjectMissing = "logout_subject_missing", "the logout token has neither subject nor session";
        // Discovery.
        IssuerInvalid = "issuer_invalid", "the issuer is not a usable URL";
        IssuerMismatch = "issuer_mismatch", "the discovery document is of another issuer";
        IssuerTemplateUnbound = "issuer_template_unbound", "the issuer is a template and no tenant is configured";
        TenantInvalid = "tenant_invalid", "the tenant id has characters that are not allowed";
        EndpointMissing = "endpoint_missing", "the discovery document lacks a required endpoint";
        EndpointInvalid = "endpoint_invalid", "an endpoint is not a usable URL";
        EndpointInsecure = "endpoint_insecure", "an endpoint is not https";
        CodeFlowUnsupported = "code_flow_unsupported", "the provider does not support the code flow";
        PkceUnsupported = "pkce_unsupported", "the provider lists PKCE methods without S256";
        NoCommonAlg = "no_common_alg", "no signature algorithm of the provider is on the allow-list";
        NoCommonAuthMethod = "no_common_auth_method", "no client authentication method fits";
        LogoutUnsupported = "logout_unsupported", "the provider publishes no logout endpoint";
        // Callback.
        ParameterRepeated = "parameter_repeated", "a parameter appears twice";
        ParameterTooLong = "parameter_too_long", "a parameter is longer than allowed";
        StateMissing = "state_missing", "the answer has no state";
        StateMismatch = "state_mismatch", "the answer belongs to another sign-in";
        CallbackIssMissing = "callback_iss_missing", "the answer does not name its issuer though announced";
        CallbackIssMismatch = "callback_iss_mismatch", "the answer comes from another issuer";
        CodeMissing = "code_missing", "the answer has no code";
        ProviderAccessDenied = "provider_access_denied", "the identity provider denied access";
        ProviderInteraction = "provider_interaction", "the identity provider needs the person to interact";
        ProviderInvalidRequest = "provider_invalid_request", "the identity provider refused the request as invalid";
        ProviderUnauthorizedClient = "provider_unauthorized_client", "the identity provider does not allow this client";
        ProviderInvalidScope = "provider_invalid_scope", "the identity provider refused the scopes";
        ProviderUnavailable = "provider_unavailable", "the identity provider is unavailable for the moment";
        ProviderOther = "provider_other", "the identity provider answered with an error";
        // Token and userinfo responses.
        TokenInvalidClient = "token_invalid_client", "the identity provider refused our client credentials";
        TokenInvalidGrant = "token_invalid_grant", "the identity provider refused the code or refresh token";
        TokenRefused = "token_refused", "the identity provider refused the token request";
        TokenTypeUnsupported = "token_type_unsupported", "the access token is not a bearer token";
        TokenResponseMalformed = "token_response_malformed", "the token response is not as specified";
        IdTokenMissing = "id_token_missing", "the token response has no ID token";
        UserinfoStatus = "userinfo_status", "the userinfo endpoint answered with an error";
        UserinfoMalformed = "userinfo_malformed", "the userinfo response is not as specified";
        UserinfoSubMissing = "userinfo_sub_missing", "the userinfo response has no subject";
        UserinfoSubMismatch = "userinfo_sub_mismatch", "the userinfo response is about another person";
        // Our own tokens coming back.
        HintInvalid = "hint_invalid", "the ID token hint is not ours";
        BearerMissing = "bearer_missing", "no bearer token was presented";
        BearerMalformed = "bearer_malformed", "the authorization header is not a bearer token";
    }
}

impl OidcError {
    /// Whether the provider's keys may have been rotated, so that fetching them again (`rp::jwks` decides
    /// whether now) and verifying once more can help.
    pub const fn may_need_newer_keys(self) -> bool {
        matches!(
            self,
            Self::KidUnknown
                | Self::NoUsableKey
                | Self::SignatureInvalid
                | Self::AlgKeyMismatch
                | Self::KidRequired
        )
    }
}
