// What can be done with a message: one small bar that follows pointer and focus, keys, and a menu.
import { el, iconButton } from './dom.js';
import { may } from './format.js';
import { ask, openMenu, pickEmoji, toast } from './overlays.js';

/** Gives every `li.entry` of the list its bar and keys; `find(key)` knows the entry of a node. */
export function offerTools(app, room, list, place, find) {
  const bar = el('div.tools', { role: 'toolbar', 'aria-label': 'Message' });
  let reachable = null;
  // Tab goes through the parts of the entry where one is, not through those of thousands.
  const reach = (node) => {
    if (reachable !== node) for (const part of reachable?.querySelectorAll('button, a') ?? []) part.tabIndex = -1;
    for (const part of node?.querySelectorAll('button, a') ?? []) part.tabIndex = 0;
    reachable = node;
  };
  const show = (event) => {
    const node = event.target.closest?.('li.entry');
    const entry = node && find(node.dataset.key);
    if (!entry || (bar.parentNode === node && bar.dataset.rev === String(entry.rev))) return;
    bar.dataset.rev = entry.rev;
    bar.replaceChildren(...toolsFor(app, room, entry, place));
    if (bar.childElementCount) node.append(bar);
    else bar.remove();
  };
  list.addEventListener('pointerover', show);
  list.addEventListener('focusin', (event) => {
    show(event);
    reach(event.target.closest('li.entry'));
  });
  list.addEventListener('keydown', (event) => {
    if (!event.target.matches('li.entry') || event.ctrlKey || event.metaKey || event.altKey) return;
    const entry = find(event.target.dataset.key);
    const act = entry && actions(app, room, entry, place, event.target).find((one) => one.key === event.key);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act.run();
  });
}

function toolsFor(app, room, entry, place) {
  const all = actions(app, room, entry, place, null);
  const quick = all.filter((one) => one.icon);
  const rest = all.filter((one) => !one.icon);
  const tools = quick.map((one) => {
    const tool = iconButton(one.icon, one.label, () => one.run(tool));
    return tool;
  });
  if (rest.length) {
    const more = iconButton('more', 'More', () => openMenu(more, rest.map((one) => [one.label, one.run, one.danger]), 'Message'));
    more.setAttribute('aria-haspopup', 'menu');
    tools.push(more);
  }
  return tools;
}

/** What I may do with this entry: {label, run, key?, icon?, danger?}; those with an icon stand in the bar. */
function actions(app, room, entry, place, anchor) {
  if (entry.kind !== 'message' || !entry.seq || entry.deleted) return [];
  const { act } = app;
  const composer = () => (place === 'thread' ? app.threadComposer : app.composer);
  const moderator = may(app.state, room, 'moderator');
  const react = (from) => pickEmoji(from ?? anchor, (emoji) => app.attempt(act.react(room.name, entry.seq, emoji, true)));
  const out = [
    { label: 'React', icon: 'smile', key: '+', run: react },
    { label: 'Reply', icon: 'reply', key: 'r', run: () => composer()?.replyTo(entry) },
  ];
  if (place === 'main') out.push({ label: 'Thread', icon: 'thread', key: 't', run: () => app.showPanel('thread', entry.seq) });
  if (entry.mine) out.push({ label: 'Edit', icon: 'edit', key: 'e', run: () => composer()?.edit(entry) });
  if (moderator) out.push({ label: entry.pinned ? 'Unpin' : 'Pin', key: 'p', run: () => app.attempt(act.pin(room.name, entry.seq, !entry.pinned)) });
  out.push({ label: 'Copy the text', run: () => copy(entry.text) });
  out.push({ label: 'Copy a link to it', run: () => copy(`${location.origin}${location.pathname}#/r/${encodeURIComponent(room.name)}/${entry.seq}`) });
  if (!entry.mine) out.push({ label: 'Report…', run: () => report(app, room, entry) });
  if (entry.mine || moderator) out.push({ label: 'Delete…', key: 'Delete', danger: true, run: () => remove(app, room, entry) });
  return out;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied', 'good');
  } catch {
    toast('The browser does not let this page write to the clipboard');
  }
}

function remove(app, room, entry) {
  const why = { name: 'reason', label: 'Reason (everybody can read it)', maxlength: 500 };
  ask('Delete this message?', entry.mine ? [] : [why], 'Delete', ({ reason }) => app.act.remove(room.name, entry.seq, reason || undefined),
    'Its text is taken away for everybody. This cannot be undone.');
}

function report(app, room, entry) {
  ask('Report this message', [{ name: 'reason', label: 'What is wrong with it?', maxlength: 500 }], 'Report', async ({ reason }) => {
    await app.act.report(room.name, entry.seq, reason);
    toast('The moderators of the room will see it', 'good');
  });
}
