// What times, rooms, people, texts and events are called, and how a text is shown. No state.
import { el } from './dom.js';

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const encoder = new TextEncoder();

export const clock = (ts) => CLOCK.format(new Date(ts));
export const when = (ts) => (ts ? WHEN.format(new Date(ts)) : 'never');
/** The bytes of a text in UTF-8: what the server counts. */
export const bytes = (text) => encoder.encode(text).length;
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
export const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

export function day(ts) {
  const ago = (days) => new Date(Date.now() - days * 86_400_000).toISOString();
  if (sameDay(ts, ago(0))) return 'Today';
  if (sameDay(ts, ago(1))) return 'Yesterday';
  return DAY.format(new Date(ts));
}

/** What a room is called by people. */
export function roomTitle(room) {
  if (room.kind === 'direct') return room.with?.user ?? 'Direct messages';
  return room.title || (room.kind === 'private' ? 'Private room' : room.name);
}

export const personName = (state, userId, name) => state.people.get(userId)?.displayName || name;

const RANKS = ['guest', 'member', 'moderator', 'admin', 'owner'];
export const rank = (role) => Math.max(RANKS.indexOf(role ?? 'guest'), 0);

/** Whether I have at least this role in the room. The server decides; this only spares the buttons that it would refuse. */
export function may(state, room, role) {
  if (!room || !state.me) return false;
  if (state.me.admin && room.kind === 'public') return true;
  return room.kind !== 'direct' && rank(room.role) >= rank(role);
}

const PIECES = /```\n?([\s\S]+?)```|`([^`\n]+)`|\bhttps?:\/\/[^\s<>"'`]+|(?<![\p{L}\p{N}_.\\/-])@[\p{L}\p{N}_.-]*[\p{L}\p{N}_]/gu;

/** A text as nodes: links, code and names stand out, all else is text. */
export function rich(text, me) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(PIECES)) {
    const node = piece(match, me);
    if (!node) continue;
    out.append(text.slice(from, match.index), node.node);
    from = match.index + node.length;
  }
  out.append(text.slice(from));
  return out;
}

function piece([whole, block, code], me) {
  if (block) return { node: el('pre', {}, el('code', {}, block.replace(/\n$/, ''))), length: whole.length };
  if (code) return { node: el('code', {}, code), length: whole.length };
  if (whole[0] === '@') return { node: mention(whole, me), length: whole.length };
  const address = trimmed(whole);
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !/^https?:$/.test(url.protocol)) return null;
  const props = { href: url.href, target: '_blank', rel: 'noopener noreferrer' };
  return { node: el('a', props, address), length: address.length };
}

function mention(text, me) {
  const name = text.slice(1).toLowerCase();
  const mine = name === me?.toLowerCase() || ['room', 'all', 'here', 'everyone'].includes(name);
  return el(mine ? 'span.at.me' : 'span.at', {}, text);
}

/** An address without the punctuation of the sentence around it. */
function trimmed(address) {
  let out = address.replace(/[.,;:!?]+$/, '');
  if (out.endsWith(')') && !out.includes('(')) out = out.slice(0, -1);
  return out;
}

/** A found text with the places that were found; marks are pairs of characters of Unicode, not of UTF-16. */
export function marked(snippet, marks = []) {
  const chars = [...snippet];
  const out = document.createDocumentFragment();
  let from = 0;
  for (const [start, end] of marks) {
    out.append(chars.slice(from, start).join(''), el('mark', {}, chars.slice(start, end).join('')));
    from = end;
  }
  out.append(chars.slice(from).join(''));
  return out;
}

const because = (event) => (event.reason ? `: ${event.reason}` : '');
const until = (event) => (event.until ? ` until ${when(event.until)}` : '');

/** What a `member` or `room` event says, as a sentence. */
export function sentence(event) {
  if (event.type === 'room') return `${event.from} ${changed(event.changes ?? {})}`;
  const { from, user } = event;
  switch (event.change) {
    case 'joined': return `${user} came in`;
    case 'left': return `${user} left`;
    case 'invited': return `${from} invited ${user}`;
    case 'kicked': return `${from} removed ${user}${because(event)}`;
    case 'banned': return `${from} banned ${user}${until(event)}${because(event)}`;
    case 'unbanned': return `${from} lets ${user} come back`;
    case 'muted': return `${from} muted ${user}${until(event)}${because(event)}`;
    case 'unmuted': return `${from} lets ${user} write again`;
    case 'role': return `${from} made ${user} ${event.role}`;
    default: return `${from} changed something about ${user}`;
  }
}

function changed(changes) {
  const said = [];
  if ('kind' in changes) said.push('made the room');
  if (changes.title) said.push(`called it “${changes.title}”`);
  if ('topic' in changes) said.push(changes.topic ? `set the topic: ${changes.topic}` : 'took the topic away');
  if (changes.slow_s) said.push(`set slow mode to ${changes.slow_s} s`);
  if (changes.slow_s === 0) said.push('ended slow mode');
  if (changes.archived === true) said.push('archived the room');
  if (changes.archived === false) said.push('opened the room again');
  return said.join(', ') || 'changed the rules of the room';
}

/** Names as people list them: “ann, bob and 3 others”. */
export function names(list, most = 3) {
  if (list.length === 1) return list[0];
  if (list.length <= most) return `${list.slice(0, -1).join(', ')} and ${list[list.length - 1]}`;
  return `${list.slice(0, most).join(', ')} and ${count(list.length - most, 'other')}`;
}
