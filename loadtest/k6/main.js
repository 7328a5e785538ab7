// Load on a Backchannel instance, and whether it keeps its promises meanwhile. What the parts mean: ../README.md
//
//   k6 run -e BASE_URL=http://127.0.0.1:8080 -e PROFILE=smoke loadtest/k6/main.js
import exec from 'k6/execution';
import { close, opened } from './lib/channels.js';
import { giveBack, prepare } from './lib/keys.js';
import { report } from './lib/summary.js';
import { SCENARIO } from './lib/target.js';
import { thresholds } from './lib/thresholds.js';
import * as claimNext from './scenarios/claim_next.js';
import * as fanOut from './scenarios/fan_out.js';
import * as handoffs from './scenarios/handoff.js';
import * as noisyNeighbours from './scenarios/noisy_neighbour.js';
import * as rooms from './scenarios/rooms.js';
import * as waiters from './scenarios/waiters.js';

// k6 finds the functions of executors among the exports of this file.
export { claimNextPost, claimNextWork } from './scenarios/claim_next.js';
export { fanOutPost, fanOutRead } from './scenarios/fan_out.js';
export { handoff } from './scenarios/handoff.js';
export { noisyFlood, noisyNeighbour } from './scenarios/noisy_neighbour.js';
export { room } from './scenarios/rooms.js';
export { waitersPost, waitersWait } from './scenarios/waiters.js';

const ALL = [handoffs, fanOut, waiters, claimNext, noisyNeighbours, rooms];
const NAMES = ALL.map((scenario) => scenario.FLOW);
const WANTED = SCENARIO === 'all' ? NAMES : SCENARIO.split(',').map((name) => name.trim());
const unknown = WANTED.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) throw new Error(`SCENARIO=${SCENARIO}: there are all, ${NAMES.join(', ')}`);
const CHOSEN = ALL.filter((scenario) => WANTED.includes(scenario.FLOW));
const FLOWS = CHOSEN.map((scenario) => scenario.FLOW);

export const options = {
  scenarios: Object.assign({}, ...CHOSEN.map((scenario) => scenario.executors())),
  thresholds: thresholds(FLOWS),
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
  setupTimeout: '5m',
  teardownTimeout: '10m',
  userAgent: 'backchannel-k6',
};

/** Keys, and a channel of its own for each scenario. */
export function setup() {
  // Each k6 closes its own books, and one that has only a part of the readers cannot.
  const part = exec.test.options.executionSegment;
  if (part && part !== '0:1') throw new Error(`this k6 has the part ${part} of the test: run whole ones side by side instead`);
  const run = `k6-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e6)}`;
  const needsKeys = CHOSEN.some((scenario) => scenario.setup);
  const data = { keys: needsKeys ? prepare(run) : [] };
  for (const scenario of CHOSEN) data[scenario.FLOW] = scenario.setup ? scenario.setup(data.keys, run) : {};
  return { ...data, channels: opened() };
}

/** Takes what is left, so that the books can be closed, and cleans up. */
export function teardown(data) {
  for (const scenario of CHOSEN) {
    if (scenario.teardown) scenario.teardown(data.keys, data[scenario.FLOW]);
  }
  close(data.channels);
  giveBack(data.keys);
}

export const handleSummary = (data) => report(data, FLOWS);
