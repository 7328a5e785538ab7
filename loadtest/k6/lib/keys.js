// The keys of a run.
import { mintKey, revokeKey } from './api.js';
import { KEYS } from './target.js';
import { profile } from './profiles.js';

/** Those given, or fresh ones. */
export function prepare(run) {
  if (KEYS.length > 0) return KEYS;
  return Array.from({ length: profile.size.keys }, (_, n) => {
    const minted = mintKey(`${run}-${n}`);
    if (minted.status !== 201) {
      throw new Error(`no key: ${minted.status} ${JSON.stringify(minted.body)}. Raise BACKCHANNEL_KEY_MINT_LIMIT, or give KEYS or ADMIN_TOKEN`);
    }
    return minted.body.key;
  });
}

/** Spreads what is numbered over the keys, so that none comes near its rate limit; the noisy one is left out. */
export function keyFor(keys, number) {
  return keys[number % Math.max(1, keys.length - 1)];
}

/** The key that floods. With one key alone there is no neighbour. */
export const noisyKey = (keys) => keys[keys.length - 1];

/** Revokes what this run minted. */
export function giveBack(keys) {
  if (KEYS.length === 0) keys.forEach(revokeKey);
}
