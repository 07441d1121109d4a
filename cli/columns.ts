// Columns of text that fit the terminal: the last ones give way, numbers stand right, nothing is coloured in a pipe.

import process from "node:process";
import stringWidth from "string-width";
import { paintFor, plain, type Color } from "./output.ts";

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** May be cut to fit; the more there is to show, the more it gives. */
  readonly flexible?: boolean;
  /** Not cut below this before others are at their least. */
  readonly floor?: number;
  readonly color?: (cell: string) => Color | undefined;
}

const gap = 2;
const narrowest = 8;
/** In a pipe nothing is cut. */
const endless = Number.MAX_SAFE_INTEGER;

/** Columns of the terminal that a stream is; endless where it is none. */
export function screenWidth(stream: NodeJS.WriteStream = process.stdout): number {
  const written = Number(process.env["COLUMNS"]);
  if (!stream.isTTY) return endless;
  return stream.columns || (Number.isInteger(written) && written > 20 ? written : 80);
}

/** The lines of a table, without spaces at their ends; `width` where it is not the screen's. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width?: number,
  stream: NodeJS.WriteStream = process.stdout,
): readonly string[] {
  const cells = rows.map((row) => columns.map((_, index) => plain(row[index] ?? "").replaceAll(/\s+/g, " ")));
  const shown = columns.map(
    ({ title }, index) => index === 0 || title === "" || cells.some((row) => row[index] !== "") || rows.length === 0,
  );
  const natural = columns.map(({ title }, index) =>
    Math.max(stringWidth(title), ...cells.map((row) => stringWidth(row[index] ?? ""))),
  );
  const widths = fit(columns, natural, shown, width ?? screenWidth(stream));
  const head = columns.some(({ title }) => title !== "") ? [columns.map(({ title }) => title)] : [];
  return [...head, ...cells].map((row, at) => {
    const isHead = at < head.length;
    const parts = columns.flatMap((column, index) => {
      if (shown[index] !== true) return [];
      const text = cut(row[index] ?? "", widths[index] ?? 0);
      const fill = " ".repeat(Math.max(0, (widths[index] ?? 0) - stringWidth(text)));
      const color = isHead ? "dim" : column.color?.(row[index] ?? "");
      const painted = paintFor(stream, text, color);
      return [column.align === "right" ? fill + painted : painted + fill];
    });
    return parts.join(" ".repeat(gap)).replace(/ +$/, "");
  });
}

/** Takes from the flexible columns, always from the widest one, until the row fits. */
function fit(
  columns: readonly Column[],
  natural: readonly number[],
  shown: readonly boolean[],
  width: number,
): readonly number[] {
  const used = columns.flatMap((_, index) => (shown[index] === true ? [index] : []));
  const room = width - gap * (used.length - 1);
  const widths = [...natural];
  for (const least of [(index: number): number => columns[index]?.floor ?? narrowest, (): number => narrowest]) {
    for (;;) {
      const over = used.reduce((sum, index) => sum + (widths[index] ?? 0), 0) - room;
      const widest = used
        .filter((index) => columns[index]?.flexible === true && (widths[index] ?? 0) > least(index))
        .toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
      if (over <= 0 || widest === undefined) break;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  }
  return widths;
}

/** The beginning of a text that fits, with an ellipsis where something is missing. */
function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let out = "";
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const more = stringWidth(segment);
    if (used + more > width - 1) break;
    out += segment;
    used += more;
  }
  return `${out.trimEnd()}…`;
}
