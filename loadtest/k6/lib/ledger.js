// Was everything that went in given out, once?
//
// VUs share no memory, and none of them sees all messages. What they do share is k6's counters: each message that is accepted adds 1 and a
// number made of its id, each one that is given out takes both away. In the end both sums must be 0. The first says how many are missing
// (above 0) or were given out twice (below 0); the second also sees one that is missing while another was given out twice. A sum does not
// depend on the order in which VUs add to it, and it believes nothing that the service says about itself.
import { unaccounted, unaccountedMarks } from './metrics.js';

/** A message was accepted that `times` readers are to see; of a claimable channel: one holder. */
export function entered(flow, id, times = 1) {
  unaccounted.add(times, { flow });
  unaccountedMarks.add(times * mark(id), { flow });
}

/** A message was given out: claimed and acknowledged, or seen by a reader. */
export function gone(flow, id) {
  unaccounted.add(-1, { flow });
  unaccountedMarks.add(-mark(id), { flow });
}

/** 32 bits of a text (FNV-1a). Counters are exact up to 2^53, so two million messages may be under way. */
function mark(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
