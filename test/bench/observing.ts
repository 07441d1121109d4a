// What it costs to be seen: processor time of a call without anything, with metrics, and with traces of some of the calls.
import { createServer, type Server } from "node:http";
import type { Effort, Field } from "./field.ts";
import { atMost, type Finding, round } from "./report.ts";
import { type Contestant, median, medianOf, takeTurns } from "./rounds.ts";

const load = { tool: "small", connections: 32 } as const;

/** By what is switched on. */
const variants = (collector: string): Readonly<Record<string, object>> => ({
  nothing: { metrics: { disabled: true } },
  metrics: {},
  "metrics, traces off": { traces: { endpoint: collector, disabled: true } },
  "metrics, 1 % traced": { traces: { endpoint: collector, sample: "1%" } },
  "metrics, all traced": { traces: { endpoint: collector, sample: "100%" } },
});

export async function runObserving(field: Field, effort: Effort): Promise<Finding> {
  const backend = await field.backend();
  const collector = await startCollector();
  const contestants: Contestant[] = [];
  for (const [via, settings] of Object.entries(variants(collector.url))) {
    const way = await field.startMcpctl(`observe-${contestants.length}`, { b: { url: backend } }, { settings });
    await field.awaitReady(way);
    contestants.push({ via, way });
  }
  const rounds = await takeTurns(field, contestants, load, effort);
  collector.server.close();
  collector.server.closeAllConnections();
  const ratio = (via: string, reference: string): number =>
    medianOf(rounds, via, reference, (own, other) => own.cpuPerRequest / other.cpuPerRequest);
  const rows = contestants.map(({ via }) => {
    const cpu = median((rounds.samples.get(via) ?? []).map(({ cpuPerRequest }) => cpuPerRequest));
    return [via, round(cpu), round(ratio(via, "nothing")), round(ratio(via, "metrics"))];
  });
  return {
    tables: [
      {
        title: "metrics and traces: tools/call, HTTP, 32 connections",
        note: "With traces off nothing of them is loaded, and the same runs as without them: that ratio is the noise of the run.",
        head: ["on", "CPU µs/call", "to nothing", "to metrics alone"],
        rows,
      },
    ],
    limits: [
      atMost("CPU of a call with traces off", ratio("metrics, traces off", "metrics"), 1.01, " ×"),
      atMost("CPU of a call with 1 % traced", ratio("metrics, 1 % traced", "metrics"), 1.03, " ×"),
    ],
    failures: rounds.failures,
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
