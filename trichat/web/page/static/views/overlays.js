// What lies above the page: dialogs, forms in dialogs, menus, toasts. Esc and focus are the browser's own work.
import { button, el, iconButton } from './dom.js';

/** Shows a dialog until it is closed; `build(dialog, close)` gives its content. */
export function openDialog(title, build, tag = 'dialog') {
  const dialog = el(tag, { 'aria-labelledby': 'dialog-title' });
  const close = () => dialog.close();
  dialog.append(
    el('header', {}, el('h2', { id: 'dialog-title' }, title), iconButton('close', 'Close', close)),
    ...[build(dialog, close)].flat().filter(Boolean),
  );
  dialog.addEventListener('close', () => {
    const said = dialog.querySelector('.toasts');
    if (said) document.body.append(said); // what was said of it outlives it
    dialog.remove();
  });
  dialog.addEventListener('click', (event) => event.target === dialog && close());
  document.querySelectorAll('dialog').forEach((other) => other.close());
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector('form input, form select, form textarea')?.focus();
  return dialog;
}

let fieldNumber = 0;

/** A labelled field: {name, label, type, value, hint, options, ...attributes of the input}. */
function field({ name, label, type = 'text', hint, options, value = options?.[0][0] ?? '', ...rest }) {
  const id = `field-${(fieldNumber += 1)}`;
  const props = { id, name, 'aria-describedby': `${id}-said`, ...rest };
  let input;
  if (options) input = el('select', props, options.map(([key, text]) => el('option', { value: key }, text)));
  else if (type === 'area') input = el('textarea', { rows: 3, dir: 'auto', ...props });
  else input = el('input', { type, dir: type === 'text' ? 'auto' : null, ...props });
  if (type === 'checkbox') input.checked = Boolean(value);
  else input.value = value;
  return el(`div.field.${type}`, {}, el('label', { for: id }, label), input, el('p.said', { id: `${id}-said` }, hint ?? ''));
}

/** A form; `submit(values)` may refuse by a Refusal, which is shown at the field that it names. */
export function makeForm(fields, label, submit) {
  const whole = el('p.refusal', { role: 'alert' });
  const send = el('button.primary', { type: 'submit' }, label);
  const form = el('form', {}, fields.map((item) => (item instanceof Node ? item : field(item))), whole, el('div.submit', {}, send));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    whole.textContent = '';
    form.querySelectorAll('[aria-invalid]').forEach((input) => input.removeAttribute('aria-invalid'));
    send.disabled = true;
    try {
      await submit(valuesOf(form));
    } catch (refusal) {
      refuse(form, whole, refusal);
    } finally {
      send.disabled = false;
    }
  });
  return form;
}

function valuesOf(form) {
  const values = {};
  for (const input of form.elements) {
    if (input.name) values[input.name] = input.type === 'checkbox' ? input.checked : input.value;
  }
  return values;
}

function refuse(form, whole, refusal) {
  whole.textContent = words(refusal);
  const input = refusal.field && form.elements[refusal.field];
  if (!(input instanceof HTMLElement)) return;
  input.setAttribute('aria-invalid', 'true');
  input.focus();
}

/** The server's own words, or ours for what is no answer of it. */
export const words = (refusal) => refusal?.message || 'That did not work. Try it again.';

/** A dialog with a form; closes when `submit` has done it. */
export function ask(title, fields, label, submit, intro) {
  return openDialog(title, (dialog, close) => [
    intro && el('p', {}, intro),
    makeForm(fields, label, async (values) => {
      await submit(values);
      close();
    }),
  ]);
}

/** A menu at `anchor`; items are [text, action, danger?] or nothing. */
export function openMenu(anchor, items, label) {
  const menu = el('div.menu', { popover: 'auto', role: 'menu', 'aria-label': label });
  for (const [text, act, danger] of items.filter(Boolean)) {
    const item = button(text, () => {
      menu.hidePopover();
      act();
    }, danger ? 'button.danger' : 'button');
    item.setAttribute('role', 'menuitem');
    menu.append(item);
  }
  menu.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...menu.children];
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
  });
  openPopover(menu, anchor);
  menu.firstChild?.focus();
}

/** Shows something beside its anchor, inside the window; gone when one clicks elsewhere or presses Esc. */
export function openPopover(node, anchor) {
  const back = document.activeElement;
  (anchor.closest('dialog') ?? document.body).append(node);
  node.addEventListener('toggle', (event) => {
    if (event.newState !== 'closed') return;
    const lost = node.contains(document.activeElement) || document.activeElement === document.body;
    node.remove();
    if (lost && back?.isConnected) back.focus();
  });
  node.showPopover();
  const at = anchor.getBoundingClientRect();
  const size = node.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8));
  const below = at.bottom + 4 + size.height < innerHeight - 8;
  node.style.left = `${left}px`;
  node.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - size.height - 4)}px`;
}

const EMOJI = [...'👍👎😂🎉😊😢😮😡🙏👏🔥👀✅❌💯🚀🤔👋'].concat('❤️', '☕');

/** Our own few emoji, and a field for any other. */
export function pickEmoji(anchor, picked) {
  const box = el('div.menu.emoji', { popover: 'auto', role: 'dialog', 'aria-label': 'Pick an emoji' });
  const take = (emoji) => {
    box.hidePopover();
    picked(emoji);
  };
  const any = el('input', { 'aria-label': 'Another emoji, or a name such as :tada:', placeholder: 'Another: 🌻 or :tada:', maxlength: 34 });
  const form = el('form', { onsubmit: (event) => (event.preventDefault(), any.value.trim() && take(any.value.trim())) }, any);
  box.append(el('div.grid', {}, EMOJI.map((emoji) => button(emoji, () => take(emoji)))), form);
  openPopover(box, anchor);
  box.querySelector('button').focus();
}

/** Says something that went wrong, or right, for a few seconds; pointer or focus on it keeps it. */
export function toast(text, kind = 'error') {
  let place = document.querySelector('.toasts');
  if (!place) {
    place = el('div.toasts', { role: 'alert' });
    document.body.append(place);
  }
  // The top layer covers everything else, so words about what a dialog did must be in that dialog.
  (document.querySelector('dialog[open]') ?? document.body).append(place);
  const note = el(`div.toast.${kind}`, {}, el('span', { dir: 'auto' }, text), iconButton('close', 'Dismiss', () => note.remove()));
  place.append(note);
  if (place.childElementCount > 4) place.firstChild.remove();
  const expire = () => (note.matches(':hover, :focus-within') ? setTimeout(expire, 2000) : note.remove());
  setTimeout(expire, 7000);
}
