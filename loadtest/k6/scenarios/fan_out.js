// Fan-out: one poster on a broadcast channel, many readers that wait; each sees each message once, in order.
import exec from 'k6/execution';
import { post } from '../lib/api.js';
import { open } from '../lib/channels.js';
import { keyFor } from '../lib/keys.js';
import { entered, gone } from '../lib/ledger.js';
import { duplicateDeliveries, lost, operations, wakeLatency } from '../lib/metrics.js';
import { arrivals, crowd, profile } from '../lib/profiles.js';
import { follow } from '../lib/reader.js';

export const FLOW = 'fan_out';

export const executors = () => ({
  // One VU, so that the numbers in the messages have one order.
  fan_out_poster: arrivals('fanOutPost', profile.size.fan_out.rate, { mostVus: 1 }),
  fan_out_readers: crowd('fanOutRead', profile.size.fan_out.readers),
});

export const setup = (keys, run) => ({ channel: open(keys[0], { name: `${run}-fan-out`, mode: 'broadcast' }) });

let next = 0;

export function fanOutPost(data) {
  const posted = post(FLOW, keyFor(data.keys, 0), data.fan_out.channel, JSON.stringify({ n: next, at: Date.now() }));
  if (posted.status !== 201) return;
  next += 1;
  entered(FLOW, posted.body.message.id, profile.size.fan_out.readers);
}

export function fanOutRead(data) {
  let expected = 0;
  follow(FLOW, keyFor(data.keys, exec.scenario.iterationInTest), data.fan_out.channel, (message) => {
    const { n, at } = JSON.parse(message.content);
    if (n < expected) {
      duplicateDeliveries.add(1, { flow: FLOW });
      console.error(`fan_out: a reader got message ${n} after message ${expected - 1}`);
    } else if (n > expected) {
      lost.add(n - expected, { flow: FLOW });
      console.error(`fan_out: a reader got message ${n} instead of message ${expected}`);
    }
    expected = Math.max(expected, n + 1);
    gone(FLOW, message.id);
    wakeLatency.add(Date.now() - at, { flow: FLOW });
    operations.add(1, { flow: FLOW });
  });
}
