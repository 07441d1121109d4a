// Durations and sizes with units, as the config writes them.

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizeUnits = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
} as const;

/** What a duration looks like: amount and unit. */
export const durationPattern: RegExp = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;
/** What a size looks like: amount and unit. */
export const sizePattern: RegExp = /^(\d{1,12}(?:\.\d{1,3})?)(B|KB|MB|GB|KiB|MiB|GiB)$/;

/** What a share looks like: percent. */
export const sharePattern: RegExp = /^(\d{1,3}(?:\.\d{1,3})?)%$/;

/** What a rate looks like: calls and a unit of time. */
export const ratePattern: RegExp = /^([1-9]\d{0,6})\/(s|m|h|d)$/;

/** The calls and milliseconds of `100/s`, `600/m`; undefined for anything else. */
export function parseRate(text: string): { readonly calls: number; readonly perMs: number } | undefined {
  const [, calls, unit = ""] = ratePattern.exec(text) ?? [];
  const perMs = Object.entries(durationUnits).find(([name]) => name === unit)?.[1];
  return calls === undefined || perMs === undefined ? undefined : { calls: Number(calls), perMs };
}

/** The share of `20%`, 0.2; undefined for anything else. */
export function parseShare(text: string): number | undefined {
  const [, percent] = sharePattern.exec(text) ?? [];
  return percent === undefined ? undefined : Number(percent) / 100;
}

/** Milliseconds of `500ms`, `30s`, `1.5m`, `1h`, `2d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, durationPattern, durationUnits);
}

/** Bytes of `100B`, `512KiB`, `10MB`, `1.5GiB`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, sizePattern, sizeUnits);
}

/** The shortest writing of a number of milliseconds: 90000 is `90s`, 3600000 is `1h`. */
export function formatDuration(ms: number): string {
  return format(ms, durationUnits);
}

/** The shortest exact writing of a number of bytes: 16777216 is `16MiB`. */
export function formatSize(bytes: number): string {
  return format(bytes, sizeUnits);
}

function parse(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit] = pattern.exec(text) ?? [];
  const factor = units[unit ?? ""];
  return factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  const written = Object.entries(units)
    .filter(([, factor]) => value % factor === 0)
    .map(([unit, factor]) => `${value / factor}${unit}`);
  return written.toSorted((a, b) => a.length - b.length)[0] ?? String(value);
}
