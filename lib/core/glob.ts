// Names with a `*` for any part and a `?` for any character. Names come from servers: nothing here backtracks.

/** True for a name that one of the globs fits. Every other character stands for itself: names are no paths. */
export function matcherOf(globs: readonly string[]): (name: string) => boolean {
  const exact = new Set(globs.filter((glob) => !/[*?]/.test(glob)));
  const open = globs.filter((glob) => !exact.has(glob));
  return (name) => exact.has(name) || open.some((glob) => fits(glob, name));
}

/** Goes back to the last `*` alone, and never behind it: at most the product of both lengths, and mostly their sum. */
function fits(glob: string, name: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let retry = 0;
  while (place < name.length) {
    if (glob[at] === "*") {
      star = at++;
      retry = place;
    } else if (at < glob.length && (glob[at] === "?" || glob[at] === name[place])) {
      at++;
      place++;
    } else if (star >= 0) {
      at = star + 1;
      place = ++retry;
    } else return false;
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}
