// What a run must keep. A part of a metric is shown in the summary only if it has a threshold, so some of them hold always.
import { CODES } from './metrics.js';
import { profile } from './profiles.js';

const ALWAYS = 'count>=0';

export function thresholds(flows) {
  const all = {
    lost: ['count==0'],
    duplicate_claims: ['count==0'],
    duplicate_deliveries: ['count==0'],
    http_req_failed: ['rate<0.001'],
  };
  for (const flow of flows) {
    all[`operations{flow:${flow}}`] = ['count>0'];
    for (const name of ['lost', 'duplicate_claims', 'duplicate_deliveries', 'unaccounted', 'unaccounted_marks']) {
      all[`${name}{flow:${flow}}`] = ['count==0'];
    }
    for (const name of ['repeats', 'short_waits', 'drained']) all[`${name}{flow:${flow}}`] = [ALWAYS];
    all[`wake_latency{flow:${flow}}`] = [profile.latency ? `p(95)<${profile.latency.wake}` : 'max>=0'];
    all[`handoff_latency{flow:${flow}}`] = [profile.latency ? `p(95)<${profile.latency.handoff}` : 'max>=0'];
  }
  for (const code of CODES) all[`errors{code:${code}}`] = [ALWAYS];
  if (flows.includes('noisy_neighbour')) {
    // Without a refusal there was no noise; neighbours are all served, whoever shouts.
    all.flood_refused = ['count>0'];
    for (const phase of ['quiet', 'flooded']) {
      all[`neighbour_served{phase:${phase}}`] = ['rate==1'];
      all[`neighbour_latency{phase:${phase}}`] = [profile.latency ? `p(95)<${profile.latency.request}` : 'max>=0'];
    }
  }
  return all;
}
