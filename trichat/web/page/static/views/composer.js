// Where one writes: a draft for each room, replies, edits, names, and how much still fits.
import { el, iconButton, said } from './dom.js';
import { bytes, may, rank } from './format.js';

const COUNT_FROM = 0.8; // of the limit; before that nobody needs the numbers

/** A composer for a room's main line, or for the thread of `root`. */
export function makeComposer(app, room, root = null) {
  const { act } = app;
  const limit = () => app.state.limits?.text ?? 4000;
  let mode = null; // {kind: 'reply' | 'edit', entry}
  const input = el('textarea', { rows: 1, dir: 'auto', 'aria-label': root ? 'Write in the thread' : 'Write a message', enterkeyhint: 'send', autocomplete: 'off' });
  const about = el('div.about', { hidden: true });
  const counter = el('span.counter', { role: 'status' });
  const send = iconButton('send', 'Send', submit, 'button.primary.send');
  const why = el('p.why', { role: 'status' });
  const picker = makeCompletion(app, room, input);
  const node = el('div.composer', {}, about, el('div.row', {}, picker.list, input, counter, send), why);

  input.addEventListener('input', () => {
    changed();
    if (mode?.kind !== 'edit') keepDraft(input.value);
    if (input.value && !root && !mode) act.typing(room.name).catch(() => {}); // a courtesy; lost without harm
  });
  input.addEventListener('keydown', (event) => {
    if (event.isComposing || picker.onKey(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape' && mode) {
      event.preventDefault();
      event.stopPropagation();
      leaveMode();
    } else if (event.key === 'ArrowUp' && !input.value && !mode) {
      const own = lastOwn();
      if (own) edit(own);
      event.preventDefault();
    }
  });

  function keepDraft(text) {
    if (!root) act.draft(room.name, text).catch(() => {}); // kept by the engine; a full storage must not stop the typing
  }

  function lastOwn() {
    const entries = root ? room.threads?.get(root)?.entries : room.entries;
    return entries?.findLast((entry) => entry.mine && entry.seq && entry.kind === 'message' && !entry.deleted);
  }

  function setText(text) {
    input.value = text;
    changed();
  }

  function changed() {
    input.style.height = 'auto';
    input.style.height = `${Math.min(input.scrollHeight + 2, 220)}px`;
    const used = bytes(input.value);
    counter.textContent = used > limit() * COUNT_FROM ? `${used} of ${limit()} bytes` : '';
    counter.classList.toggle('over', used > limit());
    send.disabled = !input.value.trim() || used > limit() || input.disabled;
    picker.look();
  }

  function submit() {
    const text = input.value.trim();
    if (!text || bytes(text) > limit() || input.disabled) return;
    if (mode?.kind === 'edit') {
      const { entry } = mode;
      leaveMode();
      if (text !== entry.text) app.attempt(act.edit(room.name, entry.seq, text)).then((done) => done || edit(entry, text));
      return;
    }
    const options = {};
    if (mode) options.replyTo = mode.entry.seq;
    if (root) options.thread = root;
    mode = null;
    about.hidden = true;
    setText('');
    keepDraft('');
    act.send(room.name, text, options).catch(() => {}); // the entry itself says what became of it
    app.onSent?.();
  }

  function enterMode(kind, entry) {
    mode = { kind, entry };
    about.hidden = false;
    about.replaceChildren(
      el('span', {}, kind === 'edit' ? 'Editing your message' : 'In answer to ', kind === 'reply' && said('b', entry.from)),
      said('span.excerpt', entry.text?.slice(0, 80) ?? ''), iconButton('close', 'Cancel', leaveMode));
    input.focus();
  }

  function replyTo(entry) {
    if (mode?.kind === 'edit') setText('');
    enterMode('reply', entry);
  }

  function edit(entry, text = entry.text) {
    enterMode('edit', entry);
    setText(text);
  }

  function leaveMode() {
    if (mode?.kind === 'edit') setText(root ? '' : room.draft ?? '');
    mode = null;
    about.hidden = true;
    input.focus();
  }

  /** Looks again whether one may write here, and says why not. */
  function update() {
    const reason = forbidden(app, room);
    if (input.disabled !== Boolean(reason)) {
      input.disabled = Boolean(reason);
      changed();
    }
    input.placeholder = root ? 'Reply in the thread' : `Message ${app.title(room)}`;
    if (why.dataset.said !== (reason ?? '')) {
      why.dataset.said = reason ?? '';
      why.textContent = reason ?? '';
    }
  }

  /** What was typed on an earlier visit, where nothing was typed since. */
  function takeDraft() {
    if (!input.value && room.draft) setText(room.draft);
  }

  if (!root) takeDraft();
  update();
  changed();
  return { node, update, takeDraft, replyTo, edit, focus: () => input.focus() };
}

function forbidden(app, room) {
  if (room.archived) return 'This room is archived: it can be read, not written.';
  if (room.lost) return room.lost.message;
  if (room.muted) return 'You are muted in this room: you can read, not send.';
  const least = room.rules?.send;
  if (least && rank(least) > rank(room.role) && !may(app.state, room, least)) return `Writing here takes the role ${least}.`;
  return null;
}

/** The names that fit what stands behind an @ before the cursor. */
function makeCompletion(app, room, input) {
  const list = el('ul.completion', { role: 'listbox', id: `names-${Math.random().toString(36).slice(2)}`, 'aria-label': 'People', hidden: true });
  input.setAttribute('aria-controls', list.id);
  input.setAttribute('aria-autocomplete', 'list');
  let found = [];
  let at = 0;

  function typed() {
    return /(?:^|\s)@([\p{L}\p{N}_.-]*)$/u.exec(input.value.slice(0, input.selectionStart))?.[1];
  }

  function look() {
    const word = typed();
    found = word === undefined ? [] : peopleOf(app, room).filter((name) => name.toLowerCase().startsWith(word.toLowerCase())).slice(0, 8);
    if (found.length === 1 && found[0].toLowerCase() === word.toLowerCase()) found = []; // it is typed already: Enter sends
    at = 0;
    draw();
  }

  function draw() {
    list.hidden = !found.length;
    list.replaceChildren(...found.map((name, n) => said('li', name, {
      role: 'option', id: `${list.id}-${n}`, 'aria-selected': String(n === at),
      onpointerdown: (event) => (event.preventDefault(), take(name)),
    })));
    if (found.length) input.setAttribute('aria-activedescendant', `${list.id}-${at}`);
    else input.removeAttribute('aria-activedescendant');
  }

  function take(name) {
    const start = input.selectionStart - typed().length;
    input.setRangeText(`${name} `, start, input.selectionStart, 'end');
    input.dispatchEvent(new Event('input'));
  }

  function onKey(event) {
    if (!found.length) return false;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      at = (at + (event.key === 'ArrowDown' ? 1 : found.length - 1)) % found.length;
      draw();
    } else if ((event.key === 'Enter' && !event.shiftKey) || event.key === 'Tab') take(found[at]);
    else if (event.key === 'Escape') {
      found = [];
      draw();
      event.stopPropagation();
    } else return false;
    event.preventDefault();
    return true;
  }

  return { list, look, onKey };
}

function peopleOf(app, room) {
  const all = new Set(room.roster?.people.map((person) => person.user));
  for (const entry of room.entries.slice(-300)) if (entry.kind === 'message' && !entry.mine) all.add(entry.from);
  all.delete(app.state.me?.user);
  return [...all].sort();
}
