// Asks the browser for a passkey and posts its answer with the form around the button. The one page script beside submit.js:
// it talks to nobody by itself, and what it is asked stands in attributes of the form.
(() => {
  'use strict';
  const form = document.querySelector('form[data-passkey]');
  if (!form || !window.PublicKeyCredential) return;
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const list = (names) => (names ? names.split(' ').map((id) => ({ type: 'public-key', id: bytes(id) })) : []);
  const { passkey, challenge, host, user, name, known } = form.dataset;
  const fill = (values) => {
    for (const [field, value] of Object.entries(values)) form.elements[field].value = value;
    form.submit();
  };
  const make = async () => {
    const { response } = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(challenge),
        rp: { id: host, name: 'Provost' },
        user: { id: new TextEncoder().encode(user), name, displayName: name },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
        excludeCredentials: list(known),
        // A passkey alone is found by the device itself, so it has to be kept there.
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
        attestation: 'none',
      },
    });
    fill({ client_data: text(response.clientDataJSON), attestation: text(response.attestationObject) });
  };
  const sign = async () => {
    const { rawId, response } = await navigator.credentials.get({
      publicKey: {
        challenge: bytes(challenge),
        rpId: host,
        allowCredentials: list(known),
        userVerification: passkey === 'alone' ? 'required' : 'preferred',
      },
    });
    fill({
      credential: text(rawId),
      client_data: text(response.clientDataJSON),
      authenticator_data: text(response.authenticatorData),
      signature: text(response.signature),
      user: response.userHandle ? text(response.userHandle) : '',
    });
  };
  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const problem = form.querySelector('[data-problem]');
    try {
      await (passkey === 'make' ? make() : sign());
    } catch {
      problem.hidden = false;
    }
  });
})();
