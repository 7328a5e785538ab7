// What a run comes to: a table for people, and JSON for whoever compares runs.
import { CODES } from './metrics.js';
import { BASES, PROFILE, SUMMARY } from './target.js';

const COUNTS = ['operations', 'lost', 'duplicate_claims', 'duplicate_deliveries', 'unaccounted', 'unaccounted_marks', 'repeats', 'short_waits', 'drained'];
const TRENDS = ['wake_latency', 'handoff_latency'];

/** Files for k6 to write. */
export function report(data, flows) {
  const summary = digest(data, flows);
  const json = `${JSON.stringify(summary, null, 2)}\n`;
  return SUMMARY ? { stdout: table(summary), [SUMMARY]: json } : { stdout: table(summary) };
}

function digest({ metrics, state }, flows) {
  const of = (name) => (metrics[name] ? metrics[name].values : {});
  const count = (name) => of(name).count || 0;
  const broken = Object.entries(metrics).flatMap(([name, { thresholds }]) =>
    Object.entries(thresholds || {}).filter(([, { ok }]) => !ok).map(([threshold]) => `${name}: ${threshold}`));
  const ofFlow = (flow) => ({
    ...Object.fromEntries(COUNTS.map((name) => [name, count(`${name}{flow:${flow}}`)])),
    ...Object.fromEntries(TRENDS.map((name) => [name, times(of(`${name}{flow:${flow}}`))])),
  });
  return {
    passed: broken.length === 0,
    broken_thresholds: broken,
    profile: PROFILE,
    base_urls: BASES,
    seconds: state.testRunDurationMs / 1000,
    requests: { count: count('http_reqs'), per_second: of('http_reqs').rate || 0, failed: of('http_req_failed').rate || 0, ...times(of('http_req_duration')) },
    dropped_iterations: count('dropped_iterations'),
    flows: Object.fromEntries(flows.map((flow) => [flow, ofFlow(flow)])),
    noise: {
      refused: count('flood_refused'),
      served: count('flood_served'),
      neighbours_served: { quiet: of('neighbour_served{phase:quiet}').rate ?? null, flooded: of('neighbour_served{phase:flooded}').rate ?? null },
      neighbours: { quiet: times(of('neighbour_latency{phase:quiet}')), flooded: times(of('neighbour_latency{phase:flooded}')) },
    },
    errors: Object.fromEntries(CODES.map((code) => [code, count(`errors{code:${code}}`)]).filter(([, n]) => n > 0)),
  };
}

/** ms. */
function times(values) {
  return { median_ms: values.med || 0, p95_ms: values['p(95)'] || 0, max_ms: values.max || 0 };
}

function table(summary) {
  const row = (cells) => cells.map((cell, n) => (n === 0 ? String(cell).padEnd(18) : String(cell).padStart(12))).join('');
  const ms = (trend) => (trend.max_ms ? `${Math.round(trend.median_ms)}/${Math.round(trend.p95_ms)}` : '-');
  const lines = [
    '',
    `${summary.profile} against ${summary.base_urls.join(', ')}: ${summary.requests.count} requests in ${Math.round(summary.seconds)} s, ` +
      `${(summary.requests.failed * 100).toFixed(2)} % failed, ${summary.dropped_iterations} iterations dropped`,
    '',
    row(['', 'operations', 'lost', 'doubled', 'unaccounted', 'wake ms', 'handoff ms']),
    ...Object.entries(summary.flows).map(([flow, f]) =>
      row([flow, f.operations, f.lost, f.duplicate_claims + f.duplicate_deliveries, f.unaccounted, ms(f.wake_latency), ms(f.handoff_latency)])),
    '(ms: median/p95)',
  ];
  if (summary.noise.served + summary.noise.refused > 0) {
    const { served, refused, neighbours } = summary.noise;
    lines.push(`noise: ${served} served, ${refused} refused; neighbours ${ms(neighbours.quiet)} ms before, ${ms(neighbours.flooded)} ms meanwhile`);
  }
  for (const [code, n] of Object.entries(summary.errors)) lines.push(`errors: ${n} ${code}`);
  lines.push(summary.passed ? 'PASSED' : `FAILED: ${summary.broken_thresholds.join('; ')}`, '', '');
  return lines.join('\n');
}
