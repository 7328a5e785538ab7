// Claim-next: tasks arrive at a rate, workers wait for them; each task is done by one worker.
import exec from 'k6/execution';
import { sleep } from 'k6';
import { claimNext, post } from '../lib/api.js';
import { open } from '../lib/channels.js';
import { keyFor } from '../lib/keys.js';
import { entered } from '../lib/ledger.js';
import { operations, shortWaits, wakeLatency } from '../lib/metrics.js';
import { arrivals, crowd, profile, secondsLeft } from '../lib/profiles.js';
import { drain, finish } from '../lib/work.js';

export const FLOW = 'claim_next';
const LONGEST_WAIT = Number(__ENV.WAIT || 10);

export const executors = () => ({
  claim_next_posters: arrivals('claimNextPost', profile.size.claim_next.rate),
  claim_next_workers: crowd('claimNextWork', profile.size.claim_next.workers),
});

export const setup = (keys, run) => ({ channel: open(keys[0], { name: `${run}-claim-next`, mode: 'claimable' }) });

export function claimNextPost(data) {
  const turn = exec.scenario.iterationInTest;
  const posted = post(FLOW, keyFor(data.keys, turn), data.claim_next.channel, String(Date.now()));
  if (posted.status === 201) entered(FLOW, posted.body.message.id);
}

export function claimNextWork(data) {
  const worker = exec.scenario.iterationInTest;
  const key = keyFor(data.keys, worker);
  for (let task = 0; secondsLeft() > 0; task += 1) {
    const wait = Math.min(LONGEST_WAIT, Math.floor(secondsLeft()));
    const taken = claimNext(FLOW, key, data.claim_next.channel, wait);
    if (taken.status !== 200) continue;
    if (taken.body.claimed === null) {
      if (wait >= 1 && taken.took < 500) {
        shortWaits.add(1, { flow: FLOW });
        sleep(1);
      }
      continue;
    }
    wakeLatency.add(Date.now() - Number(taken.body.claimed.content), { flow: FLOW });
    if (finish(FLOW, key, taken.body, `task ${task} of worker ${worker}`)) operations.add(1, { flow: FLOW });
  }
}

export const teardown = (keys, { channel }) => drain(FLOW, keys[0], channel);
