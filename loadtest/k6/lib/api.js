// The calls of the API that the scenarios make. Each returns what `call` returns.
import { call } from './call.js';
import { ADMIN_TOKEN } from './target.js';

/** Long enough that no lease ends within a handoff, however busy the machine is: a second attempt is then the service's fault. */
export const LEASE_S = 600;

export function mintKey(label) {
  const [path, headers] = ADMIN_TOKEN ? ['/v1/admin/keys', { 'X-Admin-Token': ADMIN_TOKEN }] : ['/v1/keys', {}];
  return call('POST', path, { flow: 'setup', headers, body: { agent_label: label }, expected: [201], once: false });
}

/** The noisy key may still be over its limit; then it stays. */
export function revokeKey(key) {
  return call('DELETE', '/v1/keys/me', { flow: 'teardown', key, expected: [200, 429] });
}

export function createChannel(key, fields) {
  return call('POST', '/v1/channels', { flow: 'setup', key, body: { retention_days: 1, ...fields }, expected: [201] });
}

export function deleteChannel(key, channel) {
  return call('DELETE', `/v1/channels/${channel}`, { flow: 'teardown', name: '/v1/channels/{id}', key, expected: [204] });
}

/** `expected`: a flood also expects 429. Without `once` nothing is repeated. */
export function post(flow, key, channel, content, { expected = [201], once = true } = {}) {
  const path = `/v1/channels/${channel}/messages`;
  return call('POST', path, { flow, name: '/v1/channels/{id}/messages', key, body: { content }, expected, once });
}

/** A page after the cursor, held for up to `wait` seconds while there is none. */
export function list(flow, key, channel, cursor, wait) {
  const path = `/v1/channels/${channel}/messages?limit=100&cursor=${encodeURIComponent(cursor)}&wait=${wait}`;
  return call('GET', path, { flow, name: '/v1/channels/{id}/messages', key, wait });
}

/** The next open message under a lease, held for up to `wait` seconds while there is none. */
export function claimNext(flow, key, channel, wait) {
  return call('POST', '/v1/tasks/claim', { flow, key, body: { channel, wait, lease_seconds: LEASE_S }, wait });
}

/** 409 and 410 are answers about who holds the message; the caller judges them. */
export function ack(flow, key, message, leaseToken, result) {
  const path = `/v1/messages/${message}/ack`;
  return call('POST', path, { flow, name: '/v1/messages/{id}/ack', key, body: { lease_token: leaseToken, result }, expected: [200, 404, 409, 410] });
}

/** The receipt, held for up to `wait` seconds until the message is done. */
export function receipt(flow, key, message, wait) {
  return call('GET', `/v1/messages/${message}?until=done&wait=${wait}`, { flow, name: '/v1/messages/{id}', key, wait, expected: [200, 404] });
}
