// Handoff: post a task, take the next one, acknowledge it, and see from the receipt that one's own was done.
import exec from 'k6/execution';
import { claimNext, post, receipt } from '../lib/api.js';
import { open } from '../lib/channels.js';
import { keyFor } from '../lib/keys.js';
import { entered } from '../lib/ledger.js';
import { handoffLatency, lost, operations } from '../lib/metrics.js';
import { arrivals, profile } from '../lib/profiles.js';
import { drain, finish } from '../lib/work.js';

export const FLOW = 'handoff';
/** s; others only finish what they hold. */
const UNTIL_DONE = 20;

export const executors = () => ({ handoff: arrivals('handoff', profile.size.handoff.rate) });

export const setup = (keys, run) => ({ channel: open(keys[0], { name: `${run}-handoff`, mode: 'claimable' }) });

/** All VUs share one channel: whoever posts a task mostly gets another one to do. */
export function handoff(data) {
  const { channel } = data.handoff;
  const turn = exec.scenario.iterationInTest;
  const [poster, worker] = [keyFor(data.keys, turn), keyFor(data.keys, turn + 1)];
  const began = Date.now();
  const posted = post(FLOW, poster, channel, `handoff ${turn}`);
  if (posted.status !== 201) return; // counted as an error
  const { id } = posted.body.message;
  entered(FLOW, id);

  const taken = claimNext(FLOW, worker, channel, 2);
  if (taken.status !== 200) return;
  if (taken.body.claimed === null) {
    // Everybody posts one before taking one, so there is always one left for who asks.
    lost.add(1, { flow: FLOW });
    return;
  }
  if (!finish(FLOW, worker, taken.body, `done by ${turn}`)) return;

  const done = receipt(FLOW, poster, id, UNTIL_DONE);
  if (done.status !== 200 || done.body.state !== 'done' || !/^done by \d+$/.test(done.body.result)) {
    lost.add(1, { flow: FLOW });
    console.error(`handoff: ${id} is ${done.status === 200 ? done.body.state : done.status} after ${UNTIL_DONE} s`);
    return;
  }
  handoffLatency.add(Date.now() - began, { flow: FLOW });
  operations.add(1, { flow: FLOW });
}

export const teardown = (keys, { channel }) => drain(FLOW, keys[0], channel);
