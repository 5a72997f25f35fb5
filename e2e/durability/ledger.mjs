// What must be true of a database, whatever happened to the processes that wrote it: read from a backup, which is the same
// file on both engines. Every rule is written anew here, so that a mistake in the product is not repeated.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Reads a backup: table name => rows as objects. */
export function readBackup(file) {
  const tables = new Map();
  let columns;
  let rows;
  let end;
  for (const text of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const line = JSON.parse(text);
    if (line.table) {
      ({ columns } = line.table);
      tables.set(line.table.name, (rows = []));
    } else if (line.row) {
      rows.push(Object.fromEntries(line.row.map((value, at) => [columns[at], value])));
    } else if (line.end) {
      end = line.end;
    }
  }
  if (!end) throw new Error(`${file} has no last line`);
  return (name) => tables.get(name) ?? [];
}

/** Everything in the database that cannot be; an empty list when it is whole. */
export function faults(table) {
  return [...feedFaults(table), ...auditFaults(table), ...accountFaults(table), ...sessionFaults(table), ...tokenFaults(table), ...jobFaults(table)];
}

/** The feed is 1, 2, 3 … without a gap, and its counter agrees. */
function feedFaults(table) {
  const found = [];
  const sequences = table('events').map(({ sequence }) => sequence).sort((a, b) => a - b);
  sequences.forEach((sequence, at) => sequence !== at + 1 && found.push(`event ${sequence} at place ${at + 1} of the feed`));
  const counter = table('counters').find(({ name }) => name === 'events').value;
  if (counter !== sequences.length) found.push(`the counter says ${counter} events, there are ${sequences.length}`);
  return found.slice(0, 10);
}

/** Each organization's audit log is a hash chain up to its head, and tells the same events as the feed. */
function auditFaults(table) {
  const found = [];
  const heads = new Map(table('audit_heads').map((head) => [head.organization, head]));
  const chains = group(table('audit'), 'organization');
  for (const [organization, rows] of chains) {
    let previous = { sequence: 0, hash: '' };
    for (const row of rows.sort((a, b) => a.sequence - b.sequence)) {
      const fields = [previous.hash, organization, row.sequence, row.at, row.kind, row.actor, row.account, row.connection, row.trace, row.data];
      if (row.sequence !== previous.sequence + 1 || row.previous_hash !== previous.hash || row.hash !== hashOf(fields)) {
        found.push(`audit row ${row.sequence} of "${organization}" breaks the chain`);
      }
      previous = row;
    }
    const head = heads.get(organization);
    if (head?.sequence !== previous.sequence || head?.hash !== previous.hash) found.push(`the head of "${organization}" is not its last audit row`);
  }
  return [...found, ...storyFaults(table('events'), table('audit'))].slice(0, 10);
}

/**
 * Every event of the feed stands once in its own chain. What happened to an account stands in the chain of the instance and,
 * once, in that of its organization; nothing else does. (Nobody here belongs to two organizations, which read less.)
 */
function storyFaults(events, audit) {
  const story = (row) => [row.at, row.kind, row.account, row.connection, row.trace, row.data].join('\u0000');
  const place = (row) => `${row.organization || ''}\u0000${story(row)}`;
  const left = new Map();
  for (const row of audit) left.set(place(row), [...(left.get(place(row)) ?? []), row]);
  const found = [];
  const ofInstance = new Map();
  for (const event of events) {
    if (!left.get(place(event))?.pop()) found.push(`event ${event.sequence} (${event.kind}) is not in the audit log`);
    if (!event.organization) ofInstance.set(story(event), (ofInstance.get(story(event)) ?? 0) + 1);
  }
  for (const row of [...left.values()].flat()) {
    const events = row.organization ? (ofInstance.get(story(row)) ?? 0) : 0;
    ofInstance.set(story(row), events - 1);
    if (events < 1) found.push(`audit row ${row.sequence} of "${row.organization}" (${row.kind}) is of no event`);
  }
  return found;
}

/** Digest of a list of fields, each preceded by its length (8 bytes, big endian). */
function hashOf(fields) {
  const hash = createHash('sha256');
  for (const field of fields) {
    const bytes = Buffer.from(field === null ? '' : String(field));
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    hash.update(length).update(bytes);
  }
  return hash.digest('hex');
}

/** An account, its link, its membership, its role and its events came in one transaction, or not at all. */
function accountFaults(table) {
  const found = [];
  const memberships = group(table('memberships'), 'account');
  const roles = group(table('membership_roles'), 'account');
  const links = group(table('links'), 'account');
  const created = group(table('events').filter(({ kind }) => kind === 'user.created'), 'account');
  const accounts = new Set(table('accounts').map(({ id }) => id));
  for (const account of table('accounts').filter(({ connection }) => connection)) {
    const parts = { link: links, membership: memberships, role: roles, 'user.created': created };
    for (const [what, of] of Object.entries(parts)) {
      const count = of.get(account.id)?.length ?? 0;
      if (count !== 1) found.push(`${account.email} has ${count} × ${what}`);
    }
  }
  for (const account of created.keys()) if (!accounts.has(account)) found.push(`user.created of ${account}, which does not exist`);
  for (const [email, same] of group(table('accounts'), 'email_key')) if (same.length > 1) found.push(`${same.length} accounts of ${email}`);
  for (const license of table('licenses')) {
    const seated = table('memberships').filter((one) => one.license === license.id && one.organization === license.organization && one.license_seated === 1).length;
    if (license.used !== seated) found.push(`${license.used} seats of ${license.id} counted, ${seated} taken`);
    if (license.seats !== null && seated > license.seats) found.push(`${seated} of ${license.seats} seats of ${license.id} taken`);
  }
  return found.slice(0, 10);
}

/** A session, its event and its trace came in one transaction. */
function sessionFaults(table) {
  const found = [];
  const traces = new Set(table('traces').map(({ id }) => id));
  const told = group(table('events').filter(({ kind }) => kind === 'session.created').map((event) => ({ ...event, session: JSON.parse(event.data).session })), 'session');
  const sessions = new Set(table('sessions').map(({ id }) => id));
  for (const session of sessions) if (told.get(session)?.length !== 1) found.push(`${told.get(session)?.length ?? 0} × session.created of ${session}`);
  for (const [session, [event]] of told) {
    if (!sessions.has(session)) found.push(`session.created of ${session}, which does not exist`);
    if (!traces.has(event.trace)) found.push(`${session} has no trace`);
  }
  return found.slice(0, 10);
}

/** A family of refresh tokens is one line: each used token has its successor, only the last is unused. */
function tokenFaults(table) {
  const found = [];
  const sessions = new Set(table('sessions').map(({ id }) => id));
  for (const [family, tokens] of group(table('refresh_tokens'), 'family')) {
    tokens.sort((a, b) => a.generation - b.generation);
    tokens.forEach((token, at) => {
      const next = tokens[at + 1];
      if (token.generation !== at + 1) found.push(`generation ${token.generation} at place ${at + 1} of ${family}`);
      if (next ? token.used_at === null || token.replaced_by !== next.digest : token.used_at !== null) found.push(`${family} breaks at generation ${token.generation}`);
      if (!sessions.has(token.session)) found.push(`${family} belongs to no session`);
    });
    const code = table('authorization_codes').find((each) => each.family === family);
    if (code && code.used_at === null) found.push(`${family} has tokens, but its code is unused`);
  }
  return found.slice(0, 10);
}

function jobFaults(table) {
  const found = [];
  for (const [key, same] of group(table('jobs'), 'idempotency_key')) if (key !== null && same.length > 1) found.push(`${same.length} jobs ${key}`);
  for (const job of table('jobs')) if (job.dead_at !== null) found.push(`a job was given up: ${job.kind}: ${job.last_error}`);
  return found.slice(0, 10);
}

export function group(rows, column) {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row[column])) groups.set(row[column], []);
    groups.get(row[column]).push(row);
  }
  return groups;
}
