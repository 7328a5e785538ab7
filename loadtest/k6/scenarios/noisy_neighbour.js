// Noisy neighbour: one key posts many times as fast as it may. What do the others notice?
//
// In the first half nobody makes noise: what neighbours are served there is the measure for the second half.
import exec from 'k6/execution';
import { list, post } from '../lib/api.js';
import { open } from '../lib/channels.js';
import { keyFor, noisyKey } from '../lib/keys.js';
import { floodRefused, floodServed, neighbourLatency, neighbourServed, operations } from '../lib/metrics.js';
import { arrivals, profile } from '../lib/profiles.js';

export const FLOW = 'noisy_neighbour';
/** The noisy channel takes so many posts a minute, if the instance has no lower limit for a key. */
const ITS_LIMIT = 60;

const half = () => Math.round(profile.seconds / 2);

export const executors = () => ({
  noisy_flood: arrivals('noisyFlood', profile.size.noisy_neighbour.flood, { startTime: `${half()}s`, seconds: profile.seconds - half() }),
  noisy_neighbours: arrivals('noisyNeighbour', profile.size.noisy_neighbour.rate),
});

export function setup(keys, run) {
  if (keys.length < 2) throw new Error('noisy_neighbour needs two keys: give KEYS more of them');
  const noisy = open(keyFor(keys, 0), { name: `${run}-noisy`, mode: 'claimable', max_writes_per_minute: ITS_LIMIT });
  const make = (n) => open(keyFor(keys, n), { name: `${run}-neighbour-${n}`, mode: 'claimable' });
  return { noisy, quiet: Array.from({ length: profile.size.noisy_neighbour.neighbours }, (_, n) => make(n)) };
}

export function noisyFlood(data) {
  const posted = post(FLOW, noisyKey(data.keys), data.noisy_neighbour.noisy, 'noise', { expected: [201, 429], once: false });
  if (posted.status === 429) floodRefused.add(1, { flow: FLOW });
  if (posted.status === 201) floodServed.add(1, { flow: FLOW });
}

/** Posts and reads in a channel of its own. */
export function noisyNeighbour(data) {
  const { quiet } = data.noisy_neighbour;
  const turn = exec.scenario.iterationInTest % quiet.length;
  const key = keyFor(data.keys, turn);
  const phase = Date.now() < exec.scenario.startTime + half() * 1000 ? 'quiet' : 'flooded';
  const posted = post(FLOW, key, quiet[turn], 'hello', { once: false });
  const page = list(FLOW, key, quiet[turn], '', 0);
  for (const [answer, status] of [[posted, 201], [page, 200]]) {
    neighbourServed.add(answer.status === status, { flow: FLOW, phase });
    neighbourLatency.add(answer.took, { flow: FLOW, phase });
  }
  if (posted.status === 201 && page.status === 200) operations.add(1, { flow: FLOW });
}
