// What is lost when a server behind a gateway dies or stops: mcpctl over two replicas, and mcp-proxy over its one child.
import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { treeOf } from "./cpu.ts";
import type { Effort, Field } from "./field.ts";
import type { Way } from "./load.ts";
import { startMcpProxy } from "./peers.ts";
import { sleep } from "./programs.ts";
import { atMost, type Finding, round } from "./report.ts";
import { messageOf } from "./rounds.ts";
import { type Document, runBenchCommand } from "./toolbox.ts";

const faults = ["kill", "freeze"] as const;
type Kind = (typeof faults)[number];

/** When it breaks, when that ends, and how long the run is. */
interface Times {
  readonly from: string;
  readonly to: string;
  readonly run: string;
}

const full: Times = { from: "3s", to: "6s", run: "10s" };
const quick: Times = { from: "1s", to: "2s", run: "4s" };
/** As long as a call may take: nobody answers those that come after the end of the only server. */
const patience = ["--call-timeout", "5s", "-r", "100/s"];

export async function runFailover(field: Field, effort: Effort): Promise<Finding> {
  const times = effort.quick ? quick : full;
  const rows: (readonly string[])[] = [];
  const failures = new Map<string, string>();
  const ours = new Map<Kind, Document>();
  for (const kind of faults) {
    const fault = (part: string): readonly string[] => {
      return ["--fault", `${kind}:${part}@${times.from}..${times.to}`, "-d", times.run, ...patience];
    };
    const enter = async (via: string, run: () => Promise<Document>): Promise<void> => {
      try {
        const report = await run();
        if (via === "mcpctl") ours.set(kind, report);
        rows.push(rowOf(`${via}, ${kind}`, report));
      } catch (error) {
        failures.set(`${via}, ${kind}`, messageOf(error));
      }
    };
    await enter("mcpctl", () => runBenchCommand(field, ["failover", ...fault("b")]));
    await enter("mcp-proxy", () => breakMcpProxy(field, kind, fault("a")));
  }
  const counted = (kind: Kind, what: string): number => ours.get(kind)?.number("executions", what) ?? Number.NaN;
  return {
    tables: [
      {
        title: `100 calls/s for ${times.run} while one server is killed or frozen from ${times.from} to ${times.to}`,
        note: "mcpctl has two replicas; mcp-proxy has one child, as it always does, and does not start another one. Lost: never executed; duplicated: executed more than once.",
        head: ["gateway", "calls", "failed", "lost", "duplicated", "unanswered", "available %", "over ms", "p99 ms"],
        rows,
      },
    ],
    limits: faults.flatMap((kind) =>
      (["lost", "duplicated"] as const).map((what) =>
        atMost(`executions ${what} with two replicas, one of which has a ${kind}`, counted(kind, what), 0),
      ),
    ),
    failures,
  };
}

/** Its child is a server that notes what it executes. */
async function breakMcpProxy(field: Field, kind: Kind, fault: readonly string[]): Promise<Document> {
  await field.installPeers();
  const journal = join(field.stage.folder, `failover-${kind}`);
  writeFileSync(journal, "");
  const child = [field.binary, "bench", "fixture", "--name", "a", "--delay", "5ms", "--journal", journal];
  const way = await startMcpProxy(field.stage, child);
  const pid = await awaitChild(way, field.binary);
  const part = ["--part", `a=pid:${pid}`, "--journal", journal];
  const call = ["work", "--args", '{"nonce":"{{nonce}}"}', "--protocol", "legacy"];
  return runBenchCommand(field, ["failover", way.url, ...call, ...part, ...fault]);
}

/** The process that it started, once it listens: it does so when its child has answered. */
async function awaitChild(way: Way, binary: string): Promise<number> {
  const program = realpathSync(binary);
  const root = way.pid ?? 0;
  for (const until = performance.now() + 20_000; performance.now() < until; await sleep(100)) {
    const own = new Set(treeOf(root, program));
    const child = treeOf(root, "").find((pid) => !own.has(pid));
    if (child !== undefined && (await listens(way.url))) return child;
  }
  throw new Error(`${way.name} did not start`);
}

async function listens(url: string): Promise<boolean> {
  return fetch(url, { method: "OPTIONS" }).then(
    () => true,
    () => false,
  );
}

/** What the servers noted beside what the callers were told. */
function rowOf(what: string, report: Document): readonly string[] {
  const executed = (key: string): string => String(report.number("executions", key));
  const effect = report.list("faults")[0];
  const latencies = [effect?.number("recoveryMs"), effect?.number("latencyMs", "p99")].map((ms) =>
    round(ms ?? Number.NaN),
  );
  const failed = String(report.number("calls", "failed"));
  const counts = [executed("calls"), failed, ...["lost", "duplicated", "unanswered"].map(executed)];
  return [what, ...counts, round(report.number("availability") * 100), ...latencies];
}
