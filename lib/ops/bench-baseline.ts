// A run that was stored, read back to compare another one with it.

import { readFileSync } from "node:fs";
import { GatewayError } from "../core/errors.ts";
import { asRecord, isRecord } from "../core/text.ts";
import type { ComparedMetric, Sliced } from "./bench-compare.ts";

const metrics: readonly ComparedMetric[] = ["p50", "p90", "p99"];

/** Reads what `bench -o json` printed; throws `usage` for anything else. */
export function readBaseline(file: string): Sliced {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new GatewayError("usage", `${file} cannot be read as JSON`, { cause: error });
  }
  const { kind, timeline } = asRecord(value);
  if (kind !== "BenchReport" || !Array.isArray(timeline))
    throw new GatewayError("usage", `${file} is no BenchReport; write one with mcpctl bench … -o json`);
  const slices = timeline.filter(isRecord).map((slice) => {
    const read = (metric: ComparedMetric): number | null => {
      const figure = slice[metric];
      return typeof figure === "number" ? figure : null;
    };
    return { p50: read("p50"), p90: read("p90"), p99: read("p99") };
  });
  const known = slices.filter((slice) => metrics.every((metric) => slice[metric] !== null));
  if (known.length < leastSlices)
    throw new GatewayError("usage", `${file} has ${known.length} slices with calls, and needs ${leastSlices}`);
  return { timeline: slices };
}

const leastSlices = 5;
