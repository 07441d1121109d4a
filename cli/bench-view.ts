// A run while it runs: a few lines that change on a terminal, one line every now and then in a pipe.

import process from "node:process";
import { formatMs, type Progress } from "../lib/bench.ts";
import type { LoadRequest } from "./bench-flags.ts";
import { Live } from "./live.ts";
import { say } from "./output.ts";

const pipeEveryMs = 5_000;
const bars = " ▁▂▃▄▅▆▇█";

export class BenchView {
  readonly #live = new Live();
  readonly #isTerminal = process.stderr.isTTY && process.env["TERM"] !== "dumb" && !process.env["CI"];
  readonly #name: string;
  readonly #totalMs: number;
  #saidAt = 0;

  constructor(name: string, { durationMs, warmupMs }: Pick<LoadRequest, "durationMs" | "warmupMs">) {
    this.#name = name;
    this.#totalMs = durationMs + warmupMs;
  }

  show(progress: Progress): void {
    const { phase, elapsedMs, inFlight, recorder } = progress;
    const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
    const of = this.#totalMs === Infinity ? "" : ` of ${seconds(this.#totalMs)}`;
    const { ok, failed, dropped, latencies } = recorder;
    const timeline = recorder.timeline();
    const drivenMs = Math.max(1, performance.now() - recorder.beganAt);
    const rate = recorder.beganAt === 0 ? 0 : (ok / drivenMs) * 1000;
    const counts = `${ok} ok, ${failed} failed, ${dropped} dropped, ${inFlight} in flight`;
    const p =
      latencies.count === 0
        ? ""
        : `p50 ${formatMs(latencies.percentile(50))}, p99 ${formatMs(latencies.percentile(99))}`;
    if (this.#isTerminal) {
      const width = Math.min(process.stderr.columns || 80, 120) - 12;
      this.#live.draw([
        `${this.#name}: ${phase}, ${seconds(elapsedMs)}${of}`.slice(0, width + 10),
        `  ${rate.toFixed(0)}/s, ${counts}`.slice(0, width + 10),
        `  ${p}`,
        `  latency ${heat(
          timeline.map(({ p99 }) => p99),
          width,
        )}`,
        `  errors  ${heat(
          timeline.map(({ failed }) => failed),
          width,
        )}`,
      ]);
      return;
    }
    if (elapsedMs - this.#saidAt < pipeEveryMs) return;
    this.#saidAt = elapsedMs;
    say(
      `${this.#name}: ${phase}, ${seconds(elapsedMs)}${of}: ${rate.toFixed(0)}/s, ${counts}${p === "" ? "" : `, ${p}`}`,
    );
  }

  clear(): void {
    this.#live.clear();
  }
}

/** The last values as bars, from the least to the most of them, each step a factor. */
export function heat(values: readonly (number | null)[], width: number): string {
  const last = values.slice(-width).map((value) => (value === null || value <= 0 ? undefined : Math.log(value)));
  const known = last.filter((value) => value !== undefined);
  const low = Math.min(...known);
  const range = Math.max(...known) - low;
  return last
    .map((value) => {
      if (value === undefined) return " ";
      // What hardly differs is no mountain.
      return bars[1 + Math.round(((value - low) / Math.max(range, Math.log(2))) * (bars.length - 2))] ?? " ";
    })
    .join("");
}
