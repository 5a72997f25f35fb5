//! What we answer to an app that asks wrongly.
//!
//! Owns each refusal's stable code, its wire name and HTTP status. Never: repeats the app's input.

/// Declares the enum: variant = our code, wire name, description.
macro_rules! wire_errors {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal, $wire:literal, $text:literal;)* }) => {
        super::coded_errors! { $(#[$meta])* $name { $($variant = $code, $text;)* } }

        impl $name {
            /// The protocol's word for it (RFC 6749 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6).
            pub const fn wire(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }
        }
    };
}

wire_errors! {
    /// A request of an app was refused. `code()` is ours and exact; `wire()` is the protocol's word.
    OAuthError {
        // Authorization endpoint.
        ClientIdMissing = "client_id_missing", "invalid_request", "client_id is missing";
        ClientUnknown = "client_unknown", "unauthorized_client", "this client is not registered";
        RedirectUriMissing = "redirect_uri_missing", "invalid_request", "redirect_uri is missing";
        RedirectUriMismatch = "redirect_uri_mismatch", "invalid_request", "redirect_uri is not registered for this client";
        ParameterRepeated = "parameter_repeated", "invalid_request", "a parameter appears more than once";
        ParameterTooLong = "parameter_too_long", "invalid_request", "a parameter is too long";
        ParameterInvalid = "parameter_invalid", "invalid_request", "a parameter has an invalid value";
        ResponseTypeMissing = "response_type_missing", "invalid_request", "response_type is missing";
        ResponseTypeUnsupported = "response_type_unsupported", "unsupported_response_type", "only response_type=code is supported";
        ResponseModeUnsupported = "response_mode_unsupported", "invalid_request", "only response_mode query and form_post are supported";
        RequestObjectUnsupported = "request_object_unsupported", "request_not_supported", "the request parameter is not supported";
        RequestUriUnsupported = "request_uri_unsupported", "request_uri_not_supported", "the request_uri parameter is not supported";
        RegistrationUnsupported = "registration_unsupported", "registration_not_supported", "the registration parameter is not supported";
        ScopeMissingOpenid = "scope_missing_openid", "invalid_scope", "scope must contain openid";
        PkceMissing = "pkce_missing", "invalid_request", "code_challenge is required";
        PkceMethodUnsupported = "pkce_method_unsupported", "invalid_request", "only code_challenge_method=S256 is supported";
        PkceChallengeInvalid = "pkce_challenge_invalid", "invalid_request", "code_challenge is not an S256 challenge";
        PromptInvalid = "prompt_invalid", "invalid_request", "prompt has an invalid value";
        MaxAgeInvalid = "max_age_invalid", "invalid_request", "max_age is not a number of seconds";
        GrantNotAllowed = "grant_not_allowed", "unauthorized_client", "this client may not use this grant";
        AccessDenied = "access_denied", "access_denied", "access was denied";
        LoginRequired = "login_required", "login_required", "the person is not signed in";
        InteractionRequired = "interaction_required", "interaction_required", "the person has to interact";
        AccountSelectionRequired = "account_selection_required", "account_selection_required", "the person has to select an account";
        ConsentRequired = "consent_required", "consent_required", "the person has to consent";
        OrganizationNotAllowed = "organization_not_allowed", "access_denied", "the person or this client has no access to the organization";
        TemporarilyUnavailable = "temporarily_unavailable", "temporarily_unavailable", "please try again later";
        ServerError = "server_error", "server_error", "something went wrong on our side";
        // Token endpoint: client authentication.
        ClientAuthMissing = "client_auth_missing", "invalid_client", "client authentication is missing";
        ClientAuthMultiple = "client_auth_multiple", "invalid_request", "more than one client authentication was used";
        ClientAuthMalformed = "client_auth_malformed", "invalid_client", "client authentication is malformed";
        ClientAuthMethodNotAllowed = "client_auth_method_not_allowed", "invalid_client", "this client may not authenticate this way";
        ClientSecretWrong = "client_secret_wrong", "invalid_client", "client authentication failed";
        ClientMismatch = "client_mismatch", "invalid_request", "client_id differs from the authenticated client";
        AssertionTypeUnsupported = "assertion_type_unsupported", "invalid_client", "client_assertion_type is not supported";
        AssertionInvalid = "assertion_invalid", "invalid_client", "the client assertion is not valid";
        AssertionSignature = "assertion_signature", "invalid_client", "the client assertion signature does not verify";
        AssertionIssuer = "assertion_issuer", "invalid_client", "iss and sub of the client assertion must be the client_id";
        AssertionAudience = "assertion_audience", "invalid_client", "aud of the client assertion must be our issuer, as a string";
        AssertionExpired = "assertion_expired", "invalid_client", "the client assertion has expired";
        AssertionLifetime = "assertion_lifetime", "invalid_client", "the client assertion lives too long";
        AssertionReplayed = "assertion_replayed", "invalid_client", "the client assertion was used before";
        // Token endpoint: grants.
        GrantTypeMissing = "grant_type_missing", "invalid_request", "grant_type is missing";
        GrantTypeUnsupported = "grant_type_unsupported", "unsupported_grant_type", "this grant_type is not supported";
        CodeMissing = "code_missing", "invalid_request", "code is missing";
        CodeUnknown = "code_unknown", "invalid_grant", "the code is not valid";
        CodeExpired = "code_expired", "invalid_grant", "the code is no longer valid";
        CodeReused = "code_reused", "invalid_grant", "the code was used before";
        CodeWrongClient = "code_wrong_client", "invalid_grant", "the code belongs to another client";
        CodeRedirectMismatch = "code_redirect_mismatch", "invalid_grant", "redirect_uri differs from the authorization request";
        VerifierMissing = "verifier_missing", "invalid_grant", "code_verifier is required";
        VerifierInvalid = "verifier_invalid", "invalid_request", "code_verifier is malformed";
        VerifierMismatch = "verifier_mismatch", "invalid_grant", "code_verifier does not fit";
        RefreshTokenMissing = "refresh_token_missing", "invalid_request", "refresh_token is missing";
        RefreshTokenUnknown = "refresh_token_unknown", "invalid_grant", "the refresh token is not valid";
        RefreshTokenWrongClient = "refresh_token_wrong_client", "invalid_grant", "the refresh token belongs to another client";
        RefreshTokenExpired = "refresh_token_expired", "invalid_grant", "the refresh token has expired";
        RefreshTokenRevoked = "refresh_token_revoked", "invalid_grant", "the refresh token was revoked";
        RefreshTokenReused = "refresh_token_reused", "invalid_grant", "the refresh token was used before";
        ScopeExceedsGrant = "scope_exceeds_grant", "invalid_scope", "scope goes beyond the original grant";
        // Revocation, introspection, logout.
        TokenMissing = "token_missing", "invalid_request", "token is missing";
        LogoutHintInvalid = "logout_hint_invalid", "invalid_request", "id_token_hint is not valid";
        LogoutClientMismatch = "logout_client_mismatch", "invalid_request", "client_id is not the audience of id_token_hint";
        LogoutRedirectMismatch = "logout_redirect_mismatch", "invalid_request", "post_logout_redirect_uri is not registered";
        LogoutRedirectUnbound = "logout_redirect_unbound", "invalid_request", "post_logout_redirect_uri needs id_token_hint or client_id";
    }
}

impl OAuthError {
    /// The HTTP status of a direct (not redirected) answer.
    pub fn status(self) -> u16 {
        match self.wire() {
            "invalid_client" => 401,
            "server_error" => 500,
            "temporarily_unavailable" => 503,
            _ => 400,
        }
    }

    /// The JSON body of a direct answer (RFC 6749 section 5.2).
    pub fn to_json(self) -> serde_json::Value {
        serde_json::json!({ "error": self.wire(), "error_description": self.to_string() })
    }
}
