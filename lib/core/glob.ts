// Names with a `*` for any part and a `?` for any character. Names come from servers and clients: nothing here backtracks.

/** True for a name that one of the globs fits. Every other character stands for itself: names are no paths. */
export function matcherOf(globs: readonly string[]): (name: string) => boolean {
  const exact = new Set(globs.filter((glob) => !/[*?]/.test(glob)));
  const open = globs.filter((glob) => !exact.has(glob)).map(compile);
  return (name) => exact.has(name) || open.some((fits) => fits(name));
}

/** What stands between two stars, and the longest text in it without a `?`, by which it is found. */
interface Piece {
  readonly text: string;
  readonly mark: string;
  /** Of the mark in the text. */
  readonly offset: number;
}

function compile(glob: string): (name: string) => boolean {
  const [first = "", ...rest] = glob.split("*");
  const last = rest.pop();
  if (last === undefined) return (name) => name.length === first.length && fitsAt(first, name, 0);
  const pieces = rest.filter((text) => text !== "").map(pieceOf);
  return (name) => {
    const end = name.length - last.length;
    if (end < first.length || !fitsAt(first, name, 0) || !fitsAt(last, name, end)) return false;
    let from = first.length;
    for (const piece of pieces) {
      // The first place will do: what comes behind it has the most room there.
      const at = find(piece, name, from, end);
      if (at < 0) return false;
      from = at + piece.text.length;
    }
    return true;
  };
}

function pieceOf(text: string): Piece {
  let mark = "";
  for (const run of text.split("?")) if (run.length > mark.length) mark = run;
  return { text, mark, offset: text.indexOf(mark) };
}

function find({ text, mark, offset }: Piece, name: string, from: number, end: number): number {
  for (let at = from; at + text.length <= end; at += 1) {
    const found = name.indexOf(mark, at + offset);
    if (found < 0) return -1;
    at = found - offset;
    if (at + text.length <= end && fitsAt(text, name, at)) return at;
  }
  return -1;
}

function fitsAt(text: string, name: string, start: number): boolean {
  for (let at = 0; at < text.length; at += 1) if (text[at] !== "?" && text[at] !== name[start + at]) return false;
  return true;
}
