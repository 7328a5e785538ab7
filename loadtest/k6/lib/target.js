// What the command line says: which instance, which part of the test.

/** Replicas or load balancers; requests go round them. */
export const BASES = (__ENV.BASE_URL || 'http://127.0.0.1:8080')
  .split(',')
  .map((url) => url.trim().replace(/\/+$/, ''))
  .filter((url) => url !== '');

/** Keys that there are already, where minting is closed or limited; none: the test mints its own and revokes them. */
export const KEYS = (__ENV.KEYS || '').split(',').map((key) => key.trim()).filter((key) => key !== '');

/** With it, keys are issued by the operator's operation, which no limit stops. */
export const ADMIN_TOKEN = __ENV.ADMIN_TOKEN || '';

export const PROFILE = __ENV.PROFILE || 'smoke';

/** `all`, or names separated by commas. */
export const SCENARIO = __ENV.SCENARIO || 'all';

/** Where the JSON summary goes, `stdout` for there instead of the table; empty: nowhere. */
export const SUMMARY = __ENV.SUMMARY || '';

let turn = Math.floor(Math.random() * BASES.length);

/** The next base URL, in turn. */
export function nextBase() {
  turn = (turn + 1) % BASES.length;
  return BASES[turn];
}
