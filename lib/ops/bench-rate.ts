// When calls are to start: a rate that is steady or grows evenly, and the moment of each call by its number.

import { GatewayError } from "../core/errors.ts";

/** Calls a second, from the beginning of the run to its end. */
export interface Rate {
  readonly from: number;
  readonly to: number;
}

const unitSeconds: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600 };

/** Reads `300/s`, `18000/m`, `300`, or a ramp `100/s..500/s`; throws `usage` for anything else. */
export function parseRate(written: string): Rate {
  const [first = "", second = first] = written.split("..");
  const [from, to] = [first, second].map((each) => {
    const [, amount = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(?:\/(s|m|h))?$/.exec(each) ?? [];
    return amount === "" ? NaN : Number(amount) / (unitSeconds[unit] ?? NaN);
  });
  if (from !== undefined && to !== undefined && from >= 0 && to >= 0 && from + to > 0 && written.split("..").length < 3)
    return { from, to };
  throw new GatewayError(
    "usage",
    `${JSON.stringify(written)} is no rate; write it like 300/s, or 100/s..500/s for a ramp`,
  );
}

export function formatRate({ from, to }: Rate): string {
  const one = (rate: number): string => `${Number(rate.toFixed(2))}/s`;
  return from === to ? one(from) : `${one(from)}..${one(to)}`;
}

/** Milliseconds from the beginning to the start of call `index`, which counts from 0; Infinity where it never comes. */
export function dueMs({ from, to }: Rate, durationMs: number, index: number): number {
  if (from === to || durationMs === Infinity) return (index / from) * 1000;
  // Calls until t are from·t + growth·t²/2.
  const growth = ((to - from) * 1000) / durationMs;
  const root = from * from + 2 * growth * index;
  return root < 0 ? Infinity : ((2 * index) / (from + Math.sqrt(root)) || 0) * 1000;
}
