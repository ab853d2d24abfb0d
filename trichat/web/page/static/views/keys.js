// The shortcuts of the page, and the page that lists them.
import { showSwitcher } from './finding.js';
import { el } from './dom.js';
import { openDialog } from './overlays.js';

const KEYS = [
  ['Ctrl K', 'Go to a room or a person'],
  ['Alt ↑, Alt ↓', 'The room before, the next room'],
  ['/', 'Search'],
  ['Esc', 'Close what is open; then to the composer'],
  ['Enter', 'Send; Shift Enter begins a new line'],
  ['↑', 'In an empty composer: edit what you said last'],
  ['Shift Tab', 'From the composer to the messages; ↑ and ↓ go through them'],
  ['+  r  t  e  p  Del', 'At a message: react, reply, thread, edit, pin, delete'],
  ['?', 'This list'],
];

export function showKeys() {
  openDialog('Keyboard', () => el('dl.keys', {}, KEYS.map(([keys, what]) => [el('dt', {}, keys), el('dd', {}, what)]).flat()));
}

export function listenToKeys(app) {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || !app.state.me) return;
    const inDialog = document.querySelector('dialog[open], :popover-open');
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') run(event, () => showSwitcher(app));
    else if (inDialog) return;
    else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) run(event, () => step(app, event.key === 'ArrowUp' ? -1 : 1));
    else if (event.key === 'Escape') run(event, () => app.closePanel() || app.composer?.focus());
    else if (event.target.closest?.('input, textarea, select') || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === '/') run(event, () => app.showPanel('search', {}));
    else if (event.key === '?') run(event, showKeys);
  });
}

function run(event, act) {
  event.preventDefault();
  act();
}

function step(app, by) {
  const shown = [...document.querySelectorAll('nav.rooms a')].map((link) => link.getAttribute('href'));
  const at = shown.indexOf(`#/r/${encodeURIComponent(app.room)}`);
  const next = shown[(at + by + shown.length) % shown.length];
  if (next) location.hash = next;
}
