// The channels of a run: made in setup, deleted in teardown.
import { createChannel, deleteChannel } from './api.js';

const made = [];

/** A new channel; its id. Only for setup. */
export function open(key, fields) {
  const answer = createChannel(key, fields);
  if (answer.status !== 201) throw new Error(`no channel: ${answer.status} ${JSON.stringify(answer.body)}`);
  made.push([key, answer.body.id]);
  return answer.body.id;
}

/** `[key, id]` of all that this setup made. */
export const opened = () => made;

export function close(channels) {
  channels.forEach(([key, id]) => deleteChannel(key, id));
}
