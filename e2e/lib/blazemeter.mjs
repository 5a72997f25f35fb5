// Runs an exported BlazeMeter (Runscope) test: a list of requests, variables taken from answers, and assertions on them.
// Okta publishes its SCIM tests in this form. Scripts in a file are not run: they are code of others, and none of them decides a test.
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs the steps in order; `variables` are the initial ones. Returns one result per assertion, in order.
 * Times that a file asserts (`response_time`) are judged with `timeFactor`: the machine of a test run is not Okta's.
 */
export async function runBlazemeter(test, variables, { timeFactor = 1, pauses = false } = {}) {
  const known = { ...variables };
  const results = [];
  for (const step of test.steps) {
    if (step.skipped) continue;
    if (step.step_type === 'pause') {
      if (pauses) await sleep(step.duration * 1000);
      continue;
    }
    if (step.step_type !== 'request') throw new Error(`unknown kind of step: ${step.step_type}`);
    const answer = await send(step, known);
    for (const assertion of step.assertions ?? []) {
      results.push({ step: `${step.method} ${substitute(step.url, known)}`, note: step.note, ...judge(assertion, answer, known, timeFactor) });
    }
    for (const { source, name, property } of step.variables ?? []) {
      if (source !== 'response_json') throw new Error(`unknown source of a variable: ${source}`);
      known[name] = lookUp(answer.json, property);
    }
  }
  return results;
}

/** `{{name}}` becomes the variable's value; an unknown one stays, and shows in the failure. */
export function substitute(text, variables) {
  return text?.replaceAll(/\{\{(\w+)\}\}/g, (whole, name) => (variables[name] === undefined ? whole : String(variables[name])));
}

async function send(step, variables) {
  const headers = Object.entries(step.headers ?? {}).map(([name, values]) => [name, substitute([values].flat()[0], variables)]);
  const began = performance.now();
  const response = await fetch(encodeSpaces(substitute(step.url, variables)), {
    method: step.method,
    headers,
    body: ['GET', 'HEAD'].includes(step.method) ? undefined : substitute(step.body ?? '', variables),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, text, json, milliseconds: performance.now() - began };
}

/** The files write filters as a person reads them. */
function encodeSpaces(url) {
  return url.replaceAll(' ', '%20').replaceAll('"', '%22');
}

function judge({ source, property, comparison, value }, answer, variables, timeFactor) {
  const actual = { response_status: answer.status, response_time: answer.milliseconds, response_json: lookUp(answer.json, property) }[source];
  if (actual === undefined && !['response_status', 'response_time', 'response_json'].includes(source)) throw new Error(`unknown source of an assertion: ${source}`);
  const wanted = typeof value === 'string' ? substitute(value, variables) : value;
  const compare = COMPARISONS[comparison];
  if (!compare) throw new Error(`unknown comparison: ${comparison}`);
  const passed = compare(actual, source === 'response_time' ? wanted * timeFactor : wanted);
  return { passed, assertion: `${source} ${property ?? ''} ${comparison} ${wanted ?? ''}`.replaceAll(/ +/g, ' '), actual, body: passed ? undefined : answer.text.slice(0, 600) };
}

const COMPARISONS = {
  equal: (actual, wanted) => actual !== undefined && String(actual) === String(wanted),
  equal_number: (actual, wanted) => actual !== undefined && Number(actual) === Number(wanted),
  is_a_number: (actual) => typeof actual === 'number',
  is_less_than: (actual, wanted) => Number(actual) < Number(wanted),
  // `false` and 0 are values: only nothing at all is empty.
  not_empty: (actual) => actual !== undefined && actual !== null && actual !== '' && !(Array.isArray(actual) && actual.length === 0),
  has_value: (actual, wanted) => [actual].flat().map(String).includes(String(wanted)),
  contains: (actual, wanted) => (Array.isArray(actual) ? actual.map(String).includes(String(wanted)) : String(actual ?? '').includes(String(wanted))),
};

/** `Resources[0].emails[0].value` in a JSON document. */
function lookUp(json, property) {
  if (!property) return json;
  return property.split(/[.[\]]+/).filter(Boolean).reduce((at, key) => at?.[key], json);
}
