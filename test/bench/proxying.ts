// The cases that compare processor time: the same calls through each contestant, in turns, as ratios to nginx.
import type { Effort, Field, Via } from "./field.ts";
import type { Load, Sample } from "./load.ts";
import { atLeast, atMost, type Finding, type Limit, mebibytes, round, type Table } from "./report.ts";
import { median, medianOf, type Rounds, runRounds } from "./rounds.ts";

interface ProxyCase {
  readonly title: string;
  readonly note?: string;
  readonly vias: readonly Via[];
  readonly reference: Via;
  readonly load: Omit<Load, "seconds" | "requests">;
  /** What CPU is counted by. */
  readonly per?: "event";
  readonly limits: (ratio: (via: Via, reference: Via) => number, rounds: Rounds) => readonly Limit[];
}

const proxyCases = {
  "http-json": {
    title: "tools/call, HTTP, 32 connections",
    note: "mcp-proxy has a child process as its backend here too: it knows no other one. mcp-hub offers clients HTTP+SSE alone.",
    vias: ["direct", "nginx", "mcpctl", "mcp-hub", "mcp-proxy-stdio"],
    reference: "nginx",
    load: { tool: "small", connections: 32 },
    limits: (ratio) => [
      atMost("CPU of a call to an HTTP backend, to nginx", ratio("mcpctl", "nginx"), 1.6, " ×"),
      atLeast("CPU of mcp-proxy, to mcpctl on HTTP", ratio("mcp-proxy-stdio", "mcpctl"), 20, " ×"),
    ],
  },
  "http-json-1": {
    title: "tools/call, HTTP, 1 connection",
    vias: ["direct", "nginx", "mcpctl"],
    reference: "nginx",
    load: { tool: "small", connections: 1 },
    limits: (_ratio, rounds) => [atMost("added p50 with one connection, to nginx", addedRatio(rounds), 3, " ×")],
  },
  stdio: {
    title: "tools/call, child process, 32 connections",
    note: "nginx is the figure of the HTTP backend: it has no children.",
    vias: ["nginx", "mcpctl-stdio", "supergateway-stdio", "mcp-proxy-stdio"],
    reference: "nginx",
    load: { tool: "small", connections: 32 },
    limits: (ratio) => [
      atMost("CPU of a call to a child, to nginx with HTTP", ratio("mcpctl-stdio", "nginx"), 1.1, " ×"),
      atLeast("CPU of supergateway, to mcpctl on stdio", ratio("supergateway-stdio", "mcpctl-stdio"), 15, " ×"),
    ],
  },
  tls: {
    title: "tools/call, TLS to the backend, 32 connections",
    vias: ["nginx-tls", "mcpctl-tls"],
    reference: "nginx-tls",
    load: { tool: "small", connections: 32 },
    limits: (ratio) => [atMost("CPU with TLS to the backend, to nginx", ratio("mcpctl-tls", "nginx-tls"), 1.6, " ×")],
  },
  "result-1mb": {
    title: "results of 1 MiB, 8 connections",
    vias: ["nginx", "mcpctl"],
    reference: "nginx",
    load: { tool: "large", connections: 8 },
    limits: (ratio) => [atMost("CPU of 1 MB results, to nginx", ratio("mcpctl", "nginx"), 1.2, " ×")],
  },
  "args-100kb": {
    title: "arguments of 100 KiB, 8 connections",
    vias: ["nginx", "mcpctl"],
    reference: "nginx",
    load: { tool: "sink", size: 102_400, connections: 8 },
    limits: (ratio) => [atMost("CPU of 100 KB arguments, to nginx", ratio("mcpctl", "nginx"), 2.5, " ×")],
  },
  stream: {
    title: "event streams, 32 connections, 100 events each, one every 2 ms",
    vias: ["nginx", "mcpctl"],
    reference: "nginx",
    load: { tool: "stream", count: 100, interval: 2, connections: 32 },
    per: "event",
    limits: (ratio) => [atMost("CPU of an event, to nginx", ratio("mcpctl", "nginx"), 1.4, " ×")],
  },
  "stream-burst": {
    title: "event streams, 32 connections, 100 events each, all at once",
    vias: ["nginx", "mcpctl"],
    reference: "nginx",
    load: { tool: "stream", count: 100, interval: 0, connections: 32 },
    per: "event",
    limits: () => [],
  },
} satisfies Record<string, ProxyCase>;

export const proxyCaseNames: readonly string[] = Object.keys(proxyCases);

export async function runProxyCase(name: string, field: Field, effort: Effort): Promise<Finding> {
  const chosen: ProxyCase | undefined = Object.entries<ProxyCase>(proxyCases).find(([key]) => key === name)?.[1];
  if (chosen === undefined) throw new Error(`there is no case "${name}"`);
  const rounds = await runRounds(field, chosen.vias, chosen.load, effort);
  const cost = (sample: Sample): number => (chosen.per === "event" ? sample.cpuPerEvent : sample.cpuPerRequest);
  const ratio = (via: Via, reference: Via): number =>
    medianOf(rounds, via, reference, (own, other) => cost(own) / cost(other));
  return {
    tables: [tableOf(chosen, rounds, cost, ratio)],
    limits: chosen.limits(ratio, rounds),
    failures: rounds.failures,
  };
}

function tableOf(
  { title, note, vias, reference, per }: ProxyCase,
  rounds: Rounds,
  cost: (sample: Sample) => number,
  ratio: (via: Via, reference: Via) => number,
): Table {
  const unit = per ?? "call";
  const rows = vias.flatMap((via) => {
    const samples = rounds.samples.get(via);
    if (samples === undefined) return [];
    const of = (value: (sample: Sample) => number): number => median(samples.map(value));
    const rate = of((sample) => (per === "event" ? (sample.rate * sample.events) / sample.requests : sample.rate));
    const cells = [of(cost), ratio(via, reference), rate, of(({ p50 }) => p50), of(({ p99 }) => p99)].map(round);
    return [[via, ...cells, mebibytes(of(({ rssBytes }) => rssBytes))]];
  });
  const head = ["gateway", `CPU µs/${unit}`, "ratio", `${unit}s/s`, "p50 µs", "p99 µs", "RSS MiB"];
  return { title, ...(note === undefined ? {} : { note }), head, rows };
}

/** What mcpctl adds to the straight way's median latency, in what nginx adds. */
function addedRatio({ samples }: Rounds): number {
  const p50 = (via: Via): readonly number[] => (samples.get(via) ?? []).map((sample) => sample.p50);
  const [direct, nginx] = [p50("direct"), p50("nginx")];
  return median(
    p50("mcpctl").map((own, round) => {
      const straight = direct[round] ?? Number.NaN;
      return (own - straight) / ((nginx[round] ?? Number.NaN) - straight);
    }),
  );
}
