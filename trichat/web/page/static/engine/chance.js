/** A name for a command that writes, which nobody else has: 124 random bits. */
export function changeId(random) {
  return Array.from({ length: 4 }, () => Math.floor(random() * 2 ** 31).toString(36).padStart(6, "0")).join("");
}
