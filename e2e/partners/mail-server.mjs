// A mail server (smtp-server) that keeps what it gets: plain or with STARTTLS, open or with a password.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { run } from '../lib/process.mjs';
import { newDirectory } from '../lib/work.mjs';
import { eventually } from '../lib/process.mjs';

/** `tls`: `{ key, cert }` to offer STARTTLS. `login`: `{ user, password }` to demand it. */
export async function startMailServer({ tls, login } = {}) {
  const mails = [];
  const failures = [];
  let reject;
  const server = new SMTPServer({
    authOptional: !login,
    hideSTARTTLS: !tls,
    disabledCommands: [...(tls ? [] : ['STARTTLS']), ...(login ? [] : ['AUTH'])],
    ...tls,
    onAuth({ username, password }, session, done) {
      if (username === login.user && password === login.password) done(null, { user: username });
      else done(new Error('535 wrong password'));
    },
    onRcptTo(address, session, done) {
      done(reject?.(address.address));
    },
    onData(stream, session, done) {
      const chunks = [];
      stream.on('data', (chunk) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push({ raw: Buffer.concat(chunks), to: session.envelope.rcptTo.map(({ address }) => address), secure: session.secure, user: session.user });
        done();
      });
    },
  });
  server.on('error', (error) => failures.push(error));
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address();
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    failures,
    /** Refuses recipients for whom `judge(address)` returns an error. */
    refuse(judge) {
      reject = judge;
    },
    /** Waits for the newest mail to an address, after `seen` others, and returns it parsed, with its links. */
    async mailTo(address, { seen = 0 } = {}) {
      const own = () => mails.filter(({ to }) => to.includes(address));
      await eventually(`a mail to ${address}`, () => own().length > seen, { timeoutMs: 30_000 });
      const parsed = await simpleParser(own().at(-1).raw);
      return { ...parsed, link: (pattern) => parsed.text.match(/https?:\/\/\S+/g)?.find((url) => pattern.test(url)) };
    },
    async stop() {
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
}

/** Makes a certificate authority and a certificate of it for a host. */
export async function makeCertificate(host = 'IP:127.0.0.1') {
  const directory = newDirectory('mail-tls');
  const at = (name) => path.join(directory, name);
  const openssl = (...args) => run('openssl', args, { cwd: directory });
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=mail test authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=mail test', '-addext', `subjectAltName=${host}`, '-keyout', at('server.key'), '-out', at('server.csr'));
  await openssl('x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy', '-out', at('server.pem'));
  return { authority: at('ca.pem'), tls: { key: readFileSync(at('server.key')), cert: readFileSync(at('server.pem')) } };
}
