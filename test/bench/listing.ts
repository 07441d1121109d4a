// A listing of 1,000 tools that 10 backends own: gateways that merge, compared with each other.
import type { Effort, Field } from "./field.ts";
import type { Way } from "./load.ts";
import { startMcpHub } from "./peers.ts";
import { type Finding, mebibytes, round } from "./report.ts";
import { type Contestant, median, medianOf, messageOf, takeTurns } from "./rounds.ts";

const load = { tool: "list", connections: 8, count: 1000 } as const;

export async function runListing(field: Field, effort: Effort): Promise<Finding> {
  const backends = new Map<string, string>();
  for (let count = 0; count < 10; count++) backends.set(`b${count}`, await field.peer.serve("--tools", "100"));
  const contestants: Contestant[] = [];
  const failures = new Map<string, string>();
  const enter = async (via: string, start: () => Promise<Way>): Promise<void> => {
    try {
      const way = await start();
      await field.awaitReady(way, { ...load, connections: 1 });
      contestants.push({ via, way });
    } catch (error) {
      failures.set(via, messageOf(error));
    }
  };
  const endpoints = [...backends].map(([name, url]) => [name, { url }] as const);
  await enter("mcpctl", () => field.startMcpctl("listing", Object.fromEntries(endpoints)));
  await enter("mcp-hub", async () => {
    await field.installPeers();
    return startMcpHub(field.stage, Object.fromEntries(backends));
  });
  const rounds = await takeTurns(field, contestants, load, effort, failures);
  const rows = [...rounds.samples].map(([via, samples]) => {
    const ratio = medianOf(rounds, via, "mcpctl", (own, other) => own.cpuPerRequest / other.cpuPerRequest);
    const of = (key: "cpuPerRequest" | "rate" | "p50" | "p99" | "rssBytes"): number =>
      median(samples.map((sample) => sample[key]));
    const cells = [of("cpuPerRequest"), ratio, of("rate"), of("p50"), of("p99")].map(round);
    return [via, ...cells, mebibytes(of("rssBytes"))];
  });
  const head = ["gateway", "CPU µs/listing", "to mcpctl", "listings/s", "p50 µs", "p99 µs", "RSS MiB"];
  return {
    tables: [{ title: "tools/list of 1,000 tools over 10 backends, 8 connections", head, rows }],
    limits: [],
    failures,
  };
}
