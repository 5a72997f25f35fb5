//! Declarative documents for tests, and an identity provider's metadata.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::Folder;

/// The file of the outer contract, with a second connection and people.
pub const CONTRACT: &str = r#"
organizations:
  - id: home-lab
    name: Home Lab
    domains: [{ name: home-lab.example, verified: true }]
    roles: [{ id: owner, name: Owner }, { id: admin, name: Admin }, { id: member, name: Member }]
    workspaces: [{ id: main, name: Main, default: true }, { id: lab, name: Lab }]
    licenses: [{ id: standard, seats: 50 }]
    roles_per_member: many
connections:
  - id: home-okta
    organization: home-lab
    protocol: saml
    saml: { metadata_file: idp.xml }
    domains: [home-lab.example]
    provisioning: jit
    scim: { versions: ["1.1", "2.0"], operations: [read, create, update, deactivate, delete, groups], tokens: [{ label: okta, token: "scim-token-0123456789abcdef" }] }
    match: [subject, email_given_surname]
    policy:
      organization: "contains(groups, '{{orgId}}')"
      role: { expression: "contains(groups, 'admin') && 'Admin' || 'Member'" }
      workspaces: { mode: dynamic, expression: "teams" }
      license: { fixed: standard }
    organization_policies: [{ organization: home-lab, organization_expression: "contains(groups, 'staff')", role: { fixed: Member } }]
  - id: home-google
    organization: home-lab
    protocol: oidc
    oidc: { issuer: "https://login.example", client_id: provost, client_secret: "upstream-secret-0123456789", scopes: [openid, profile, email, groups] }
    domains: [home-lab.example]
    on_no_seat: { other: standard }
    licence_at: first_login
    sync: { names: creation, roles: every_login, license: until_edited }
    policy: { workspaces: { mode: all }, role: { groups: [{ value: g1, roles: [Admin] }] } }
applications:
  - { client_id: sample-app, client_secret: "app-secret-0123456789abcdef", redirect_uris: ["http://127.0.0.1:8090/callback"], organizations: all }
users:
  - email: olga@home-lab.example
    given_name: Olga
    family_name: Owner
    password: "correct horse battery staple"
    memberships: [{ organization: home-lab, roles: [owner], workspaces: all, license: standard }]
  - email: ivo@home-lab.example
    connection: home-okta
    kind: reader
    memberships: [{ organization: home-lab, roles: [Member], workspaces: [lab] }]
"#;

/// Every secret in [`CONTRACT`].
pub const SECRETS: &[&str] = &[
    "scim-token-0123456789abcdef",
    "upstream-secret-0123456789",
    "app-secret-0123456789abcdef",
    "correct horse battery staple",
];

/// Returns a folder with `idp.xml` in it.
pub fn folder() -> Folder {
    let folder = Folder::new("declarative");
    folder.file("idp.xml", idp_metadata("https://idp.example/saml"));
    folder
}

/// Returns the metadata of an identity provider with a new certificate.
pub fn idp_metadata(entity_id: &str) -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::<String>::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let certificate = base64::engine::general_purpose::STANDARD.encode(certificate.der());
    format!(
        r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}">
<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/slo" ResponseLocation="https://idp.example/slo-done"/>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso"/>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/sso"/>
</md:IDPSSODescriptor></md:EntityDescriptor>"#
    )
}

/// Cuts one connection out of a document, by its text.
pub fn without_connection(document: &str, id: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("  - id: ") {
            inside = line.trim() == format!("- id: {id}");
        } else if !line.starts_with(' ') {
            inside = false;
        }
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// A host on loopback that answers everything with one body.
pub struct Host {
    /// Its address.
    pub url: String,
    body: Arc<std::sync::Mutex<String>>,
    hits: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Host {
    /// Changes what it answers.
    pub fn set(&self, body: String) {
        *self.body.lock().unwrap() = body;
    }

    /// Returns how often it was called.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Stops listening.
    pub fn stop(&self) {
        self.task.abort();
    }
}

/// Starts a host.
pub async fn serve(body: String) -> Host {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metadata", listener.local_addr().unwrap());
    let body = Arc::new(std::sync::Mutex::new(body));
    let hits = Arc::new(AtomicUsize::new(0));
    let (shared, counter) = (Arc::clone(&body), Arc::clone(&hits));
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut buffer = [0; 8192];
            let _ = stream.read(&mut buffer).await;
            let text = shared.lock().unwrap().clone();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                text.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    Host {
        url,
        body,
        hits,
        task,
    }
}
