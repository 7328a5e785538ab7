// A reader that follows a channel by its cursor, waiting while there is nothing.
import { sleep } from 'k6';
import { list } from './api.js';
import { shortWaits } from './metrics.js';
import { secondsLeft } from './profiles.js';

/** s; the service caps it. */
const LONGEST_WAIT = Number(__ENV.WAIT || 10);

/** s that a reader who still gets messages goes on: a service that repeats itself would hold it for ever. */
const MOST_OVERTIME = 5;

/** Reads from the beginning until the crowd goes home, and then what is there. */
export function follow(flow, key, channel, seen) {
  let cursor = '';
  for (;;) {
    const left = secondsLeft();
    const wait = Math.max(0, Math.min(LONGEST_WAIT, Math.floor(left)));
    const page = list(flow, key, channel, cursor, wait);
    const messages = page.status === 200 ? page.body.data : [];
    messages.forEach(seen);
    if (messages.length > 0) cursor = page.body.next_cursor;
    if (left <= 0 && (messages.length === 0 || left < -MOST_OVERTIME)) return;
    // Not held: over a limit of waiters, or the replica is leaving. Whoever asks again at once only adds to it.
    if (messages.length === 0 && wait >= 1 && page.took < 500) {
      shortWaits.add(1, { flow });
      sleep(1);
    }
  }
}
