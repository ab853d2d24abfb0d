// How the views build what they show. Text is only ever text: nothing here takes markup.

/** `el('button.big', {type: 'button', onclick}, 'Send')`: an element with attributes, listeners and children. */
export function el(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(' ');
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') node.addEventListener(key.slice(2), value);
    else if (key === 'value') node.value = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5',
  people: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-7 7-7s7 3 7 7M16 4a4 4 0 0 1 0 7M18 14c3 1 4 4 4 7',
  pin: 'M9 3h6l-1 7 4 4H6l4-4zM12 14v7',
  plus: 'M12 5v14M5 12h14',
  smile: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 14c1 2 2.5 3 4 3s3-1 4-3M9 9v1M15 9v1',
  reply: 'M9 6l-5 5 5 5M4 11h9c4 0 7 2 7 7',
  thread: 'M4 5h16v11H9l-5 4z',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  send: 'M4 4l17 8-17 8 3-8zM7 12h7',
  down: 'M12 5v14M6 13l6 6 6-6',
  check: 'M5 13l4 4L19 7',
  edit: 'M4 20l1-5L16 4l4 4L9 19z',
  hash: 'M4 9h16M4 15h16M10 4L8 20M16 4l-2 16',
  lock: 'M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3',
};

/** A drawing, hidden from screen readers: the button around it has the words. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon', `icon-${name}`);
  const path = document.createElementNS(svg.namespaceURI, 'path');
  path.setAttribute('d', SHAPES[name]);
  svg.append(path);
  return svg;
}

/** A button with a drawing for those who see and words for those who hear; the words are its tooltip as well. */
export function iconButton(name, label, onclick, tag = 'button.quiet') {
  return el(tag, { type: 'button', 'aria-label': label, title: label, onclick }, icon(name));
}

export function button(text, onclick, tag = 'button') {
  return el(tag, { type: 'button', onclick }, text);
}

/** Text of a person: it may run from right to left, whatever is around it. */
export function said(tag, text, props = {}) {
  return el(tag, { dir: 'auto', ...props }, text);
}

/** A person's mark: the first letter on a colour that is always theirs. */
export function face(userId, name) {
  const node = el('span.face', { 'aria-hidden': 'true' }, [...(name || '?').replace(/^guest-/, '')][0].toUpperCase());
  let hue = 0;
  for (const char of userId || '') hue = (hue * 31 + char.codePointAt(0)) % 360;
  node.style.setProperty('--hue', hue); // by the object model: the page's policy refuses style attributes
  return node;
}

/** Whether somebody is there, for the eye and in words. */
export function dot(presence) {
  return presence ? el(`span.dot.${presence}`, { title: presence }, el('span.sr', {}, `, ${presence}`)) : null;
}

/** Puts `nodes` into `parent` in this order, touching only those that are not in their place. */
export function arrange(parent, nodes) {
  let here = parent.firstChild;
  for (const node of nodes) {
    if (node === here) here = here.nextSibling;
    else parent.insertBefore(node, here);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

/** One stop of the Tab key for a whole list; arrows, Home and End go on inside it. */
export function roving(list, selector) {
  const focus = (node) => {
    if (!node) return;
    list.querySelectorAll(`${selector}[tabindex="0"]`).forEach((other) => other.setAttribute('tabindex', '-1'));
    node.setAttribute('tabindex', '0');
    node.focus();
  };
  list.addEventListener('focusin', (event) => {
    const node = event.target.closest(selector);
    if (!node || node.getAttribute('tabindex') === '0') return;
    list.querySelectorAll(`${selector}[tabindex="0"]`).forEach((other) => other.setAttribute('tabindex', '-1'));
    node.setAttribute('tabindex', '0');
  });
  list.addEventListener('keydown', (event) => {
    if (!event.target.matches(selector) || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = [...list.querySelectorAll(selector)];
    const at = all.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all[to]) return;
    event.preventDefault();
    focus(all[to]);
  });
}

/** After the entries of a roving list have changed: one of them must be reachable by Tab. */
export function keepReachable(list, selector) {
  if (list.querySelector(`${selector}[tabindex="0"]`)) return;
  const all = list.querySelectorAll(selector);
  all[all.length - 1]?.setAttribute('tabindex', '0');
}
