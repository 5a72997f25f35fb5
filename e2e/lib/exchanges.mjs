// Recorded requests with the answer that their client needs: the data in scim/clients/*.json, and how it is compared.
//
// A file is `{ client, version, headers, scenarios: [{ name, steps }] }`; a step is
// `{ send: [METHOD, PATH, BODY?], headers?, status: [..], body?, answerHeaders?, keep?: { NAME: PATH } }`.
// `{{NAME}}` stands for a variable: kept ones, and what the test hands in (`n`, different in every scenario; `domain`).
import { request as httpRequest } from 'node:http';

/** Runs the steps of one scenario in order; throws with the exchange that went wrong. */
export async function runExchanges({ base, token, headers, steps, variables }) {
  const known = { ...variables };
  for (const step of steps) {
    const [method, path, body] = fill(step.send, known);
    const answer = await exchange(base, method, path, body, { authorization: `Bearer ${token}`, ...headers, ...fill(step.headers ?? {}, known) });
    const problems = [];
    if (!step.status.includes(answer.status)) problems.push(`status ${answer.status}, wanted ${step.status.join(' or ')}`);
    // A body is only promised where there is one: 204 is as good as 200 where both are listed.
    if (step.body !== undefined && answer.status !== 204) problems.push(...compare(answer.json, fill(step.body, known), ''));
    for (const [name, wanted] of Object.entries(step.answerHeaders ?? {})) problems.push(...compare(answer.headers[name], fill(wanted, known), `header ${name}`));
    if (problems.length > 0) {
      throw new Error(`${method} ${path}${step.note ? ` (${step.note})` : ''}\n${body === undefined ? '' : `${show(body)}\n`}--> ${answer.status} ${answer.text.slice(0, 3000)}\n${problems.join('\n')}`);
    }
    for (const [name, at] of Object.entries(step.keep ?? {})) known[name] = at.split('.').reduce((value, key) => value?.[key], answer.json);
  }
  return known;
}

/** One request. Sends no header but those given: some directories send neither User-Agent nor Accept. */
export function exchange(base, method, path, body, headers) {
  const url = new URL(base + path.replaceAll(' ', '%20').replaceAll('"', '%22'));
  // `new URL` would tidy a double slash away before the server sees it.
  const target = `${url.pathname}${url.search}`;
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const sent = { ...(payload === undefined ? {} : { 'content-type': 'application/scim+json', 'content-length': Buffer.byteLength(payload) }), ...headers };
  for (const [name, value] of Object.entries(sent)) if (value === null) delete sent[name];
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname: url.hostname, port: url.port, path: target, method, headers: sent, agent: false, signal: AbortSignal.timeout(20_000) }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode, headers: response.headers, text, json: parsed(text) });
      });
    });
    request.on('error', (error) => reject(new Error(`${method} ${target}: ${error.message}`, { cause: error })));
    request.end(payload);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Replaces `{{name}}` in every string of a value; a value that is nothing but one variable takes its type. */
function fill(value, variables) {
  if (typeof value === 'string') {
    const whole = /^\{\{(\w+)\}\}$/.exec(value);
    if (whole) return lookUp(whole[1], variables);
    return value.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => String(lookUp(name, variables)));
  }
  if (Array.isArray(value)) return value.map((each) => fill(each, variables));
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, each]) => [fill(key, variables), fill(each, variables)]));
  return value;
}

function lookUp(name, variables) {
  if (variables[name] === undefined) throw new Error(`no value for {{${name}}}`);
  return variables[name];
}

const WORDS = {
  $absent: (actual) => actual === undefined,
  $empty: (actual) => actual === undefined || (Array.isArray(actual) && actual.length === 0),
  $integer: (actual) => Number.isInteger(actual),
  $text: (actual) => typeof actual === 'string' && actual !== '',
  $boolean: (actual) => typeof actual === 'boolean',
  $object: (actual) => actual !== null && typeof actual === 'object' && !Array.isArray(actual),
  $list: (actual) => Array.isArray(actual) && actual.length > 0,
};

/**
 * Lists how `actual` differs from `wanted`. Objects may have more members than wanted; lists must have the same length.
 * `{ "$items": [..] }` is a list in any order, `{ "$includes": x }` a list with such an element or a text with such a part,
 * `{ "$not": x }` anything else, `{ "$atLeast": n }` a number; the words `$absent`, `$empty`, `$integer`, `$text`, `$boolean`, `$object`, `$list` say what they mean.
 */
export function compare(actual, wanted, at) {
  const differs = (what) => [`${at || 'body'}: ${show(actual)}, wanted ${what ?? show(wanted)}`];
  if (typeof wanted === 'string' && WORDS[wanted]) return WORDS[wanted](actual) ? [] : differs();
  if (wanted === null || typeof wanted !== 'object') return actual === wanted ? [] : differs();
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) return differs(`a list of ${wanted.length}: ${show(wanted)}`);
    return wanted.flatMap((each, index) => compare(actual[index], each, `${at}[${index}]`));
  }
  const [operator] = Object.keys(wanted);
  switch (operator) {
    case '$items': {
      const rest = [...(Array.isArray(actual) ? actual : [])];
      if (!Array.isArray(actual) || actual.length !== wanted.$items.length) return differs();
      for (const each of wanted.$items) {
        const found = rest.findIndex((candidate) => compare(candidate, each, '').length === 0);
        if (found < 0) return differs();
        rest.splice(found, 1);
      }
      return [];
    }
    case '$includes':
      if (typeof actual === 'string') return actual.includes(wanted.$includes) ? [] : differs();
      return Array.isArray(actual) && actual.some((each) => compare(each, wanted.$includes, '').length === 0) ? [] : differs();
    case '$not':
      return compare(actual, wanted.$not, at).length > 0 ? [] : differs();
    case '$atLeast':
      return actual >= wanted.$atLeast ? [] : differs();
    default:
      if (actual === null || typeof actual !== 'object' || Array.isArray(actual)) return differs();
      // A dot would be read as a path elsewhere: here a key is a key.
      return Object.entries(wanted).flatMap(([key, each]) => compare(actual[key], each, `${at}.${key}`));
  }
}

function show(value) {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
