// What it costs to be seen: processor time of a call without anything, with metrics, and with traces of some of the calls.
import { createServer, type Server } from "node:http";
import type { Effort, Field } from "./field.ts";
import { atMost, type Finding, round } from "./report.ts";
import { estimate, type Estimate, median } from "./rounds.ts";
import { Toggled } from "./toggling.ts";

const tracesOff = "metrics, traces off";
const someTraced = "metrics, 1 % traced";
const allTraced = "metrics, all traced";

const load = { tool: "small", connections: 32 } as const;

/** By what is switched on. */
const variants = (collector: string): Readonly<Record<string, object>> => ({
  nothing: { metrics: { disabled: true } },
  metrics: {},
  [tracesOff]: { traces: { endpoint: collector, disabled: true } },
  [someTraced]: { traces: { endpoint: collector, sample: "1%" } },
  [allTraced]: { traces: { endpoint: collector, sample: "100%" } },
});

/** Long enough that what a change of the config brings, and sending the last spans of a load, does not count. */
const secondsFor = { quick: 0.5, full: 3 };
const roundsFor = { quick: 2, full: 6 };

export async function runObserving(field: Field, { quick, warmSeconds }: Effort): Promise<Finding> {
  const collector = await startCollector();
  const settings = variants(collector.url);
  const vias = Object.keys(settings).filter((via) => via !== allTraced);
  const toggled = await Toggled.start(field, "observe", { b: { url: await field.backend() } }, settings);
  const samples = new Map<string, number[]>([...vias, allTraced].map((via) => [via, []]));
  const effort = quick ? "quick" : "full";
  try {
    for (const via of vias) await toggled.cpuPerRequest(via, { ...load, seconds: warmSeconds });
    for (let round = 0; round < roundsFor[effort]; round += 1) {
      // There and back, each time from another one on: what drifts, and what one leaves to the next, counts for all of them.
      const first = round % vias.length;
      const turn = [...vias.slice(first), ...vias.slice(0, first)];
      const sums = new Map<string, number>();
      for (const via of [...turn, ...turn.toReversed()]) {
        const cpu = await toggled.cpuPerRequest(via, { ...load, seconds: secondsFor[effort] });
        sums.set(via, (sums.get(via) ?? 0) + cpu / 2);
      }
      for (const [via, cpu] of sums) samples.get(via)?.push(cpu);
    }
    // By itself: it leaves so much behind that the one after it would pay for it.
    for (let round = 0; round < roundsFor[effort]; round += 1)
      samples.get(allTraced)?.push(await toggled.cpuPerRequest(allTraced, { ...load, seconds: secondsFor[effort] }));
  } finally {
    await toggled.stop();
    collector.server.close();
    collector.server.closeAllConnections();
  }
  return report(samples);
}

function report(samples: ReadonlyMap<string, readonly number[]>): Finding {
  const ratio = (via: string, reference: string): Estimate => {
    const others = samples.get(reference) ?? [];
    return estimate((samples.get(via) ?? []).map((cpu, round) => cpu / (others[round] ?? Number.NaN)));
  };
  const rows = [...samples].map(([via, cpus]) => {
    const { median: toMetrics, low, high } = ratio(via, "metrics");
    const interval = via === "metrics" ? "" : `${low.toFixed(3)} … ${high.toFixed(3)}`;
    return [via, round(median(cpus)), ratio(via, "nothing").median.toFixed(3), toMetrics.toFixed(3), interval];
  });
  return {
    tables: [
      {
        title: "metrics and traces: tools/call, HTTP, 32 connections",
        note: "One process, whose config changes between the loads. With traces off nothing of them is loaded, and the same runs as without them: that ratio is the noise of the run.",
        head: ["on", "CPU µs/call", "to nothing", "to metrics alone", "95 %"],
        rows,
      },
    ],
    limits: [
      atMost("CPU of a call with traces off", ratio(tracesOff, "metrics").median, 1.01, " ×", 3),
      atMost("CPU of a call with 1 % traced", ratio(someTraced, "metrics").median, 1.03, " ×", 3),
    ],
    failures: new Map(),
  };
}

/** Takes whatever comes. */
async function startCollector(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}` };
}
