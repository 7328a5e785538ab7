// Long-poll waiters: many calls are held in many channels where hardly anything happens; how soon do they hear of it?
import exec from 'k6/execution';
import { post } from '../lib/api.js';
import { open } from '../lib/channels.js';
import { keyFor } from '../lib/keys.js';
import { entered, gone } from '../lib/ledger.js';
import { operations, wakeLatency } from '../lib/metrics.js';
import { arrivals, crowd, profile } from '../lib/profiles.js';
import { follow } from '../lib/reader.js';

export const FLOW = 'waiters';

export const executors = () => ({
  waiters_poster: arrivals('waitersPost', profile.size.waiters.rate),
  waiters: crowd('waitersWait', profile.size.waiters.waiters),
});

export function setup(keys, run) {
  const make = (n) => open(keyFor(keys, n), { name: `${run}-waiters-${n}`, mode: 'broadcast' });
  return { channels: Array.from({ length: profile.size.waiters.channels }, (_, n) => make(n)) };
}

/** As many in each channel. */
const waitersOfOne = () => profile.size.waiters.waiters / profile.size.waiters.channels;

export function waitersPost(data) {
  const { channels } = data.waiters;
  const turn = exec.scenario.iterationInTest % channels.length;
  const posted = post(FLOW, keyFor(data.keys, turn), channels[turn], String(Date.now()));
  if (posted.status === 201) entered(FLOW, posted.body.message.id, waitersOfOne());
}

export function waitersWait(data) {
  const { channels } = data.waiters;
  const turn = exec.scenario.iterationInTest;
  follow(FLOW, keyFor(data.keys, turn), channels[turn % channels.length], (message) => {
    wakeLatency.add(Date.now() - Number(message.content), { flow: FLOW });
    gone(FLOW, message.id);
    operations.add(1, { flow: FLOW });
  });
}
