// How much, for how long. Rates are per second, for all VUs together.
import exec from 'k6/execution';
import { PROFILE } from './target.js';

const SIZES = {
  small: {
    keys: 24,
    handoff: { rate: 8 },
    fan_out: { rate: 4, readers: 20 },
    waiters: { rate: 5, waiters: 60, channels: 20 },
    claim_next: { rate: 20, workers: 8 },
    noisy_neighbour: { flood: 160, rate: 8, neighbours: 4 },
    rooms: { rate: 1 },
  },
  usual: {
    keys: 40,
    handoff: { rate: 50 },
    fan_out: { rate: 5, readers: 200 },
    waiters: { rate: 20, waiters: 1000, channels: 200 },
    claim_next: { rate: 100, workers: 40 },
    noisy_neighbour: { flood: 500, rate: 40, neighbours: 10 },
    rooms: { rate: 4 },
  },
};

const PROFILES = {
  /** Is all of it right? Says nothing about speed: it also runs where much else does. */
  smoke: { seconds: 8, tail: 5, size: SIZES.small, latency: null },
  /** A usual day, for five minutes. */
  load: { seconds: 300, tail: 10, size: SIZES.usual, latency: { wake: 500, request: 500, handoff: 1000 } },
  /** From a usual day to eight times as much: where does it bend? What is promised holds there, too; how fast, is not asked. */
  stress: { seconds: 600, tail: 30, size: SIZES.usual, steps: [1, 2, 4, 8], latency: null },
  /** Two hours: what grows that should not? */
  soak: { seconds: 7200, tail: 30, size: SIZES.small, latency: { wake: 500, request: 500, handoff: 1000 } },
};

if (!(PROFILE in PROFILES)) throw new Error(`PROFILE=${PROFILE}: there are ${Object.keys(PROFILES).join(', ')}`);

/** `seconds` that load is produced, `tail` seconds that readers go on, `size`, `latency`: p(95) in ms, null where it is not judged. */
export const profile = {
  ...PROFILES[PROFILE],
  ...(__ENV.SECONDS ? { seconds: Number(__ENV.SECONDS) } : {}),
  ...(__ENV.TAIL ? { tail: Number(__ENV.TAIL) } : {}),
};

/**
 * Load that arrives at a rate, whether or not the service keeps up: an open loop. A slow service gets more VUs, up to `mostVus`; beyond them k6
 * counts dropped iterations.
 */
export function arrivals(fn, rate, { mostVus = 50 + rate * 10, startTime = '0s', seconds = profile.seconds } = {}) {
  const common = { exec: fn, startTime, preAllocatedVUs: Math.min(mostVus, 10 + Math.ceil(rate / 4)), maxVUs: mostVus, timeUnit: '1s', gracefulStop: '90s' };
  if (!profile.steps) return { executor: 'constant-arrival-rate', rate, duration: `${seconds}s`, ...common };
  const part = Math.max(1, Math.round(seconds / profile.steps.length / 4));
  const stages = profile.steps.flatMap((times) => [
    { target: rate * times, duration: `${part}s` },
    { target: rate * times, duration: `${part * 3}s` },
  ]);
  return { executor: 'ramping-arrival-rate', startRate: rate, stages, ...common };
}

/** VUs that each run `fn` once, for as long as `going()`; `exec.scenario.iterationInTest` counts them from 0. */
export function crowd(fn, vus) {
  return { executor: 'per-vu-iterations', exec: fn, vus, iterations: 1, maxDuration: `${profile.seconds + profile.tail + 90}s`, gracefulStop: '0s' };
}

/** Seconds until a crowd goes home: longer than load is produced, so that it sees the end of it. */
export function secondsLeft() {
  return (exec.scenario.startTime + (profile.seconds + profile.tail) * 1000 - Date.now()) / 1000;
}
