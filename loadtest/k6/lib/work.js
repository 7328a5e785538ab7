// What a worker does with a message that it claimed, and what it can tell from the answers about who else had it.
import { ack, claimNext, receipt } from './api.js';
import { gone } from './ledger.js';
import { drained, duplicateClaims, lost } from './metrics.js';

/**
 * Acknowledges a claimed message with a result of its own, and looks into the receipt whether that is the one that counts.
 * True: done, and by nobody else.
 *
 * Two workers that were given the same message cannot both pass: a second claim under a lease has a higher attempt, it takes the first one's
 * token away (409 at the ack), and should the service have forgotten the first claim altogether, then of two results the first one
 * stays, and the other worker does not find its own.
 */
export function finish(flow, key, { claimed, attempt, lease_token: token }, result) {
  if (attempt !== 1) return duplicate(flow, `${claimed.id} was claimed at attempt ${attempt}`);
  const acked = ack(flow, key, claimed.id, token, result);
  if (acked.status === 404) return missing(flow, `${claimed.id} was gone at the ack`);
  if ([409, 410].includes(acked.status)) return duplicate(flow, `the ack of ${claimed.id} was refused: ${acked.body.error}`);
  if (acked.status !== 200) return false; // counted as an error
  if (acked.body.status !== 'acknowledged') return duplicate(flow, `the ack of ${claimed.id} found it ${acked.body.status}`);
  gone(flow, claimed.id);
  const found = receipt(flow, key, claimed.id, 0);
  if (found.status === 404) return missing(flow, `${claimed.id} has no receipt after its ack`);
  if (found.status !== 200) return false;
  if (found.body.state !== 'done') return missing(flow, `the ack of ${claimed.id} is lost: it is ${found.body.state}`);
  if (found.body.result !== result) return duplicate(flow, `${claimed.id} has another result: ${found.body.result}`);
  return true;
}

/** Takes what is still open in a channel when all is over, so that the ledger is complete. */
export function drain(flow, key, channel) {
  for (;;) {
    const taken = claimNext(flow, key, channel, 0);
    if (taken.status !== 200 || taken.body.claimed === null) return;
    drained.add(1, { flow });
    if (!finish(flow, key, taken.body, 'drained')) return; // what is left shows in the ledger
  }
}

function duplicate(flow, why) {
  duplicateClaims.add(1, { flow });
  console.error(`${flow}: ${why}`);
  return false;
}

function missing(flow, why) {
  lost.add(1, { flow });
  console.error(`${flow}: ${why}`);
  return false;
}
