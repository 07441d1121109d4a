// Charts as SVG inside a page: lines and bars over a scale, told apart by form and label and not by colour alone.

import { escapeXml } from "./markup.ts";

export interface Axis {
  /** Where on the scale, and what stands there. */
  readonly ticks: readonly (readonly [value: number, label: string])[];
  readonly from: number;
  readonly to: number;
}

export interface Series {
  readonly name: string;
  /** Undefined where there is nothing to show: the line is broken there. */
  readonly points: readonly (readonly [x: number, y: number] | undefined)[];
}

export interface Bars {
  readonly name: string;
  readonly items: readonly {
    readonly from: number;
    readonly to: number;
    readonly base: number;
    readonly value: number;
  }[];
}

export interface Chart {
  readonly title: string;
  /** In one sentence, for who does not see it. */
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines?: readonly Series[];
  readonly bars?: readonly Bars[];
  /** Stretches of x that are marked. */
  readonly marks?: readonly { readonly from: number; readonly to: number; readonly label: string }[];
}

const width = 480;
const height = 240;
const pad = { left: 58, right: 14, top: 26, bottom: 26 };
const inner = { width: width - pad.left - pad.right, height: height - pad.top - pad.bottom };

/** Up to `max` in steps that people count in. */
export function niceAxis(max: number, format: (value: number) => string, steps = 4): Axis {
  const top = max > 0 ? max : 1;
  const power = 10 ** Math.floor(Math.log10(top / steps));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each * steps >= top) ?? top;
  const ticks = Array.from({ length: steps + 1 }, (_, index): readonly [number, string] => [
    index * step,
    format(index * step),
  ]);
  return { ticks, from: 0, to: step * steps };
}

export function chartFigure(chart: Chart): string {
  const { title, description, x, y, lines = [], bars = [], marks = [] } = chart;
  const atX = scale(x, pad.left, inner.width);
  const atY = (value: number): number => pad.top + inner.height - scale(y, 0, inner.height)(value);
  const parts = [
    ...marks.map(({ from, to }) => mark(atX(from), atX(to))),
    ...y.ticks.map(([value, label]) => rule(atY(value), label)),
    ...x.ticks.map(([value, label], index) => under(atX(value), label, index, x.ticks.length)),
    ...bars.flatMap(({ items }, index) =>
      items.map(({ from, to, base, value }) => bar(atX(from), atX(to), atY(base), atY(base + value), index + 1)),
    ),
    ...lines.map(({ points }, index) => `<path class="curve s${index + 1}" d="${path(points, atX, atY)}"/>`),
    ...marks.map(({ from, to, label }, index) => markLabel(atX(from), atX(to), label, index)),
    legend(
      [...lines, ...bars].map(({ name }) => name),
      lines.length,
    ),
  ];
  return `<figure><figcaption>${escapeXml(title)}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(`${title}. ${description}`)}">
${parts.join("\n")}
</svg></figure>`;
}

function scale({ from, to }: Axis, start: number, length: number): (value: number) => number {
  const range = to - from || 1;
  return (value) => round(start + (Math.min(to, Math.max(from, value)) - from) * (length / range));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function rule(at: number, label: string): string {
  const line = `<path class="grid" d="M${pad.left} ${at}H${width - pad.right}"/>`;
  return `${line}<text x="${pad.left - 6}" y="${at + 4}" text-anchor="end">${escapeXml(label)}</text>`;
}

function under(at: number, label: string, index: number, count: number): string {
  const anchor = index === 0 ? "start" : index === count - 1 ? "end" : "middle";
  return `<text x="${at}" y="${height - 8}" text-anchor="${anchor}">${escapeXml(label)}</text>`;
}

function bar(left: number, right: number, bottom: number, top: number, kind: number): string {
  const gap = right - left > 3 ? 1 : 0;
  const size = `width="${round(Math.max(0.5, right - left - gap))}" height="${round(Math.max(0, bottom - top))}"`;
  return bottom - top <= 0 ? "" : `<rect class="f${kind}" x="${left}" y="${top}" ${size}/>`;
}

function mark(left: number, right: number): string {
  return `<rect class="fault" x="${left}" y="${pad.top}" width="${round(Math.max(2, right - left))}" height="${inner.height}"/>`;
}

/** On top of everything, and not on top of each other. */
function markLabel(left: number, right: number, label: string, index: number): string {
  const [at, anchor] = left > width / 2 ? [Math.max(left, right), "end"] : [left, "start"];
  return `<text class="label" x="${at}" y="${pad.top + 13 + (index % 3) * 14}" text-anchor="${anchor}">${escapeXml(label)}</text>`;
}

function path(points: Series["points"], atX: (value: number) => number, atY: (value: number) => number): string {
  let isDown = false;
  return points
    .flatMap((point) => {
      const command = isDown ? "L" : "M";
      isDown = point !== undefined;
      return point ? [`${command}${atX(point[0])} ${atY(point[1])}`] : [];
    })
    .join("");
}

/** Names above the chart, in the form and colour of what they name. */
function legend(names: readonly string[], lineCount: number): string {
  let at = pad.left;
  return names
    .map((name, index) => {
      const kind = index + 1;
      const line = `<path class="curve s${kind}" d="M${at} 12h18"/>`;
      const sample = index < lineCount ? line : `<rect class="f${kind}" x="${at + 6}" y="7" width="12" height="10"/>`;
      const text = `<text class="t${kind}" x="${at + 23}" y="16">${escapeXml(name)}</text>`;
      at += 38 + name.length * 7;
      return sample + text;
    })
    .join("");
}
