// What is counted beside k6's own metrics. Each sample has the tag `flow`: the name of its scenario, also from setup and teardown.
import { Counter, Rate, Trend } from 'k6/metrics';

/** What a scenario is about, done and checked: handoffs, deliveries, wake-ups, tasks, requests of neighbours, rooms. */
export const operations = new Counter('operations');
/** A message that was accepted, and that somebody who should have it does not get. */
export const lost = new Counter('lost');
/** A message that was given to a second holder while the first one held it, or after it was done. */
export const duplicateClaims = new Counter('duplicate_claims');
/** A message that one reader got twice, or after a later one. */
export const duplicateDeliveries = new Counter('duplicate_deliveries');
/** See ledger.js: what went in minus what came out, at the end 0. */
export const unaccounted = new Counter('unaccounted');
export const unaccountedMarks = new Counter('unaccounted_marks');
/** Requests that ended otherwise than they should, repeats included; tag `code`. */
export const errors = new Counter('errors');
/** Repeats of a request after a 503 or a broken connection, under the same Idempotency-Key. */
export const repeats = new Counter('repeats');
/** Calls that asked to wait and came back empty at once: over a limit of waiters, or the replica was leaving. */
export const shortWaits = new Counter('short_waits');
/** Messages that were open when all was over, and that teardown took. */
export const drained = new Counter('drained');
/** From just before a post until somebody who waits has the message, ms. */
export const wakeLatency = new Trend('wake_latency', true);
/** From just before a post until its poster's receipt says done, ms. */
export const handoffLatency = new Trend('handoff_latency', true);
/** What a neighbour's request took, ms; tag `phase`: quiet or flooded. */
export const neighbourLatency = new Trend('neighbour_latency', true);
export const neighbourServed = new Rate('neighbour_served');
/** Posts of the noisy key: refused with 429, and served. */
export const floodRefused = new Counter('flood_refused');
export const floodServed = new Counter('flood_served');

/** The codes of `errors` that the summary names; all others count as `other`. */
export const CODES = [
  'no_answer', 'bad_gateway', 'storage_unavailable', 'outcome_unknown', 'overloaded', 'storage_full', 'internal_error', 'rate_limit_exceeded',
  'rate_limited', 'concurrent_channels_limit', 'quota_exceeded', 'channel_write_rate_exceeded', 'unauthorized',
  'message_not_found', 'channel_not_found', 'channel_or_token_invalid', 'other',
];
