// Rooms: make one, join, send, all at the same time, and read it back: contiguous indexes, each text once, the same order for everybody.
import http from 'k6/http';
import { json, note, call } from '../lib/call.js';
import { duplicateDeliveries, lost, operations, wakeLatency } from '../lib/metrics.js';
import { arrivals, profile } from '../lib/profiles.js';
import { nextBase } from '../lib/target.js';

export const FLOW = 'rooms';
const PEOPLE = 3;
/** Texts of each. */
const TEXTS = 4;
/** s; what the service holds a poll at most. */
const POLL_S = 50;

export const executors = () => ({ rooms: arrivals('room', profile.size.rooms.rate) });

/** One room from its making to its end. Nobody else knows it, so this VU alone can tell what must be in it. */
export function room() {
  const made = ask('POST', '/channels', '/channels', null);
  if (made.status !== 200) return;
  const place = { id: made.body.channel_id, token: made.body.token };
  const people = Array.from({ length: PEOPLE }, (_, n) => join(place, `agent-${n}`));
  if (people.includes(null)) return;
  const sent = new Map();
  for (let round = 0; round < TEXTS; round += 1) sendAtOnce(place, people, round, sent);
  const logs = people.map((participant) => readAll(place, participant, PEOPLE + sent.size));
  const right = logs.every((log) => isWhole(log, sent)) && logs.every((log) => sameOrder(log, logs[0]));
  const woken = right && wake(place, people, logs[0].length);
  people.forEach((participant) => ask('POST', `/channels/${place.id}/leave`, '/channels/{id}/leave', { token: place.token, participant_id: participant }));
  if (woken) operations.add(1, { flow: FLOW });
}

/** Rooms know no Idempotency-Key; `again`: repeats do no harm, since a `client_msg_id` is sent. */
function ask(method, path, name, body) {
  return call(method, path, { flow: FLOW, name, body, once: false });
}

function join(place, name) {
  const joined = ask('POST', `/channels/${place.id}/join`, '/channels/{id}/join', { token: place.token, name });
  return joined.status === 200 ? joined.body.participant_id : null;
}

function sending(place, participant, text) {
  const body = JSON.stringify({ token: place.token, participant_id: participant, text, client_msg_id: text });
  const params = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'POST /channels/{id}/send', flow: FLOW } };
  return ['POST', `${nextBase()}/channels/${place.id}/send`, body, params];
}

function polling(place, participant, since) {
  const query = `token=${place.token}&participant_id=${participant}&since=${since}`;
  const params = { timeout: (POLL_S + 20) * 1000, tags: { name: 'GET /channels/{id}/poll', flow: FLOW } };
  return ['GET', `${nextBase()}/channels/${place.id}/poll?${query}`, null, params];
}

/** One text of each, in parallel, over whichever replicas; what was accepted goes into `sent`: text → index. */
function sendAtOnce(place, people, round, sent) {
  const texts = people.map((_, n) => `text ${round} of ${n}`);
  http.batch(people.map((participant, n) => sending(place, participant, texts[n]))).forEach((response, n) => {
    const body = json(response);
    if (response.status === 200) sent.set(texts[n], body.index);
    else note(FLOW, 'POST /channels/{id}/send', { status: response.status, body }, response);
  });
}

/** Polls from the beginning until so many entries have come; fewer, if a poll was held in vain. */
function readAll(place, participant, count) {
  const log = [];
  let since = 0;
  while (log.length < count) {
    const [response] = http.batch([polling(place, participant, since)]);
    const body = json(response);
    if (response.status !== 200) {
      note(FLOW, 'GET /channels/{id}/poll', { status: response.status, body }, response);
      return log;
    }
    log.push(...body.messages);
    since = body.cursor;
  }
  return log;
}

/** Every index from 0 once and in order, every text that was accepted once, where its sender was told that it is. */
function isWhole(log, sent) {
  const indexes = new Set(log.map((entry) => entry.index));
  if (indexes.size < log.length) return twice(`${log.length - indexes.size} indexes came twice`);
  if (log.some((entry, n) => entry.index !== n)) return gap(`indexes ${log.map((entry) => entry.index).join(',')}`);
  const texts = log.filter((entry) => entry.type === 'message').map((entry) => entry.text);
  if (new Set(texts).size < texts.length) return twice('a text came twice');
  for (const [text, index] of sent) {
    if (!log[index] || log[index].text !== text) return gap(`"${text}" is not at ${index}`);
  }
  return true;
}

function sameOrder(log, other) {
  const order = (entries) => entries.map((entry) => `${entry.index}:${entry.type}:${entry.text || ''}`).join('|');
  return order(log) === order(other) || gap('two participants see another order');
}

/** One waits while another sends. */
function wake(place, people, since) {
  const text = 'wake up';
  const [held, sent] = http.batch([polling(place, people[0], since), sending(place, people[1], text)]);
  if (sent.status !== 200) {
    note(FLOW, 'POST /channels/{id}/send', { status: sent.status, body: json(sent) }, sent);
    return false;
  }
  const page = json(held);
  if (held.status !== 200 || page.messages.length !== 1 || page.messages[0].text !== text) return gap(`a waiter was answered ${held.status}`);
  wakeLatency.add(held.timings.duration, { flow: FLOW });
  return true;
}

function gap(why) {
  lost.add(1, { flow: FLOW });
  console.error(`rooms: ${why}`);
  return false;
}

function twice(why) {
  duplicateDeliveries.add(1, { flow: FLOW });
  console.error(`rooms: ${why}`);
  return false;
}
