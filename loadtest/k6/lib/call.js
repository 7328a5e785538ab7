// One request: sent to the next base URL, repeated where repeating is safe, its errors counted by code.
import http from 'k6/http';
import { sleep } from 'k6';
import { CODES, errors, repeats } from './metrics.js';
import { nextBase } from './target.js';

/** Times that a request is sent until its answer is taken for final. */
const MOST_TRIES = 6;
/** Beyond what the request itself waits, s. */
const PATIENCE_S = 20;
/** Lines that one VU writes about errors. */
const MOST_LINES = 3;

let lines = 0;

/**
 * Sends a request and returns `{status, body, took}`, `body` null where there was no JSON.
 *
 * `flow`: for the counts. `name`: the path as a template, since k6 keeps a series for each. `wait`: seconds that it may be held.
 * `expected`: statuses that are no error; another one counts under its code. Writes carry an Idempotency-Key, so that after a 503 or a
 * broken connection they are repeated and take effect once; rooms know none (`once: false`).
 */
export function call(method, path, { flow, name, key, headers = {}, body = null, wait = 0, expected = [200], once = method !== 'GET' }) {
  const all = { ...headers };
  if (body !== null) all['Content-Type'] = 'application/json';
  if (key) all['X-API-Key'] = key;
  if (once) all['Idempotency-Key'] = crypto.randomUUID();
  const params = {
    headers: all,
    tags: { name: `${method} ${name || path}`, flow },
    timeout: (wait + PATIENCE_S) * 1000,
    responseCallback: http.expectedStatuses(...expected),
  };
  for (let tries = 1; ; tries += 1) {
    const response = http.request(method, nextBase() + path, body === null ? null : JSON.stringify(body), params);
    const answer = { status: response.status, body: json(response), took: response.timings.duration };
    if (expected.includes(answer.status)) return answer;
    note(flow, params.tags.name, answer, response);
    const again = (once || method === 'GET') && [0, 502, 503, 504].includes(answer.status);
    if (!again || tries === MOST_TRIES) return answer;
    repeats.add(1, { flow });
    sleep(Math.min(Number(response.headers['Retry-After']) || 0.2 * tries, 2));
  }
}

/** Counts an answer that should not be, under its code; the first ones are also written. */
export function note(flow, name, answer, response) {
  const code = codeOf(answer);
  errors.add(1, { flow, code: CODES.includes(code) ? code : 'other' });
  lines += 1;
  if (lines <= MOST_LINES) console.warn(`${flow}: ${name} was answered ${answer.status} ${code} ${response.error || ''}`);
}

function codeOf({ status, body }) {
  if (body && body.error) return body.error;
  return status === 0 ? 'no_answer' : 'bad_gateway';
}

/** The body of a response, null where there was no JSON. */
export function json(response) {
  const type = response.headers['Content-Type'] || '';
  return type.startsWith('application/json') && response.body ? response.json() : null;
}
