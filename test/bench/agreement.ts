// Whether `mcpctl bench` finds what an independent generator finds, and how much it can start by the clock.
import type { Effort, Field } from "./field.ts";
import { describeRatio, type Finding, type Limit, round, within } from "./report.ts";
import { median } from "./rounds.ts";
import { runBenchCommand } from "./toolbox.ts";

const callsPerSecond = 1000;
const connections = 64;
/** Answers after 10 to 29 ms, so that percentiles differ: the same spread for everybody who asks. */
const answer = { count: 0, interval: 10, spread: 20 } as const;
const share = 0.05;
const fastest = 3000;
/** Its compiler needs calls before it is in time; the one in C needs none. */
const warmup = ["--warmup", "1s"];
/** A generator that is later than this must say that its figures are not valid. */
const lagLimitMs = 2;

const keys = ["rate", "p50", "p90", "p99"] as const;
type Figures = Readonly<Record<(typeof keys)[number], number>>;
/** `isValid`: the generator says that it was in time. */
type OwnFigures = Figures & { readonly isValid: boolean };

export async function runAgreement(field: Field, effort: Effort): Promise<Finding> {
  const url = await field.peer.serve("--spread", String(answer.spread));
  const way = { name: "C", url, prefix: "", pid: undefined };
  const { count, interval } = answer;
  const seconds = effort.seconds * 2;
  const measureC = (): Promise<Figures> =>
    field.peer.load(way, { tool: "stream", connections, rate: callsPerSecond, seconds, count, interval });
  const measureOwn = (): Promise<OwnFigures> => measureMcpctl(field, url, seconds);
  const pairs: (readonly [c: Figures, own: OwnFigures])[] = [];
  for (let turn = 0; turn < effort.rounds; turn++) {
    const [c1, own1, own2, c2] = [await measureC(), await measureOwn(), await measureOwn(), await measureC()];
    pairs.push([c1, own1], [c2, own2]);
  }
  const ratios = new Map(keys.map((key) => [key, median(pairs.map(([c, own]) => own[key] / c[key]))]));
  const rows = keys.map((key) => {
    const of = (side: 0 | 1): string => round(median(pairs.map((pair) => pair[side][key])));
    return [key === "rate" ? "calls/s" : `${key} µs`, of(0), of(1), describeRatio(ratios.get(key) ?? Number.NaN)];
  });
  const late = pairs.filter(([, { isValid }]) => !isValid).length;
  const fast = await measureFastest(field, url, seconds);
  return {
    tables: [
      {
        title: `the C generator and mcpctl bench, HTTP, ${callsPerSecond} calls/s by the clock, in turns A B B A`,
        note: `Times count from when a call was due. The backend answers after 10 to 29 ms. Of ${pairs.length} runs, mcpctl bench said of ${late} that they are not valid.`,
        head: ["figure", "C", "mcpctl bench", "ratio"],
        rows,
      },
      fast.table,
    ],
    limits: [
      ...keys.map((key) => within(`${key} of mcpctl bench to the C generator`, ratios.get(key) ?? Number.NaN, share)),
      fast.limit,
    ],
    failures: new Map(),
  };
}

async function measureMcpctl(field: Field, url: string, seconds: number): Promise<OwnFigures> {
  const { count, interval } = answer;
  const call = ["stream", "--args", JSON.stringify({ count, interval }), "--allow-writes", "--protocol", "legacy"];
  const load = ["-r", `${callsPerSecond}/s`, "-d", `${seconds * 1000}ms`, "--sessions", String(connections), ...warmup];
  const report = await runBenchCommand(field, [url, ...call, ...load]);
  if (report.number("calls", "failed") + report.number("calls", "dropped") > 0)
    throw new Error(`mcpctl bench: ${report.number("calls", "failed")} calls failed`);
  const us = (key: string): number => report.number("latencyMs", key) * 1000;
  const isValid = report.flag("generator", "valid");
  return { rate: report.number("calls", "ratePerSecond"), p50: us("p50"), p90: us("p90"), p99: us("p99"), isValid };
}

async function measureFastest(
  field: Field,
  url: string,
  seconds: number,
): Promise<{ readonly table: Finding["tables"][number]; readonly limit: Limit }> {
  const load = ["-r", `${fastest}/s`, "-d", `${Math.round(seconds * 1500)}ms`, ...warmup];
  const report = await runBenchCommand(field, [url, "small", "--allow-writes", "--protocol", "legacy", ...load]);
  const lagMs = report.number("generator", "lagP99Ms");
  const isCalledValid = report.flag("generator", "valid");
  const figures = [report.number("calls", "ratePerSecond"), report.number("latencyMs", "p99") * 1000, lagMs].map(round);
  return {
    table: {
      title: `mcpctl bench, HTTP, ${fastest} calls/s by the clock`,
      head: ["calls/s", "p99 µs", "lag p99 ms", "it says"],
      rows: [[...figures, isCalledValid ? "valid" : "not valid"]],
    },
    limit: {
      what: `lag p99 of mcpctl bench at ${fastest} calls/s`,
      limit: `below ${lagLimitMs} ms, or said to be invalid`,
      found: `${round(lagMs)} ms, ${isCalledValid ? "valid" : "said to be invalid"}`,
      reached: lagMs < lagLimitMs || (lagMs >= lagLimitMs && !isCalledValid),
    },
  };
}
