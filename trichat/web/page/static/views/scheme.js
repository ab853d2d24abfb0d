// Light, dark, or as the device is: kept on this device.
const KEY = 'trichat.scheme';
const SCHEMES = [['', 'Colours as on this device'], ['light', 'Light colours'], ['dark', 'Dark colours']];

/** Takes up what was chosen; storage may be forbidden to a page, which is no reason to fail. */
export function applyScheme() {
  try {
    document.documentElement.dataset.scheme = localStorage.getItem(KEY) ?? '';
  } catch {
    document.documentElement.dataset.scheme = '';
  }
}

export function chooseScheme(scheme) {
  document.documentElement.dataset.scheme = scheme;
  try {
    localStorage.setItem(KEY, scheme);
  } catch {
    // it holds until the page is closed
  }
}

/** The choices that are not taken, for a menu. */
export function schemeItems() {
  const now = document.documentElement.dataset.scheme ?? '';
  return SCHEMES.filter(([scheme]) => scheme !== now).map(([scheme, text]) => [text, () => chooseScheme(scheme)]);
}
