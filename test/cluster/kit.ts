// The workers of a gateway as a test sees them: its child processes, and those that answer.
import { readFileSync } from "node:fs";
import { recordOf } from "../e2e/kit.ts";

export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

export async function nodesAt(
  url: string,
): Promise<{ readonly nodes: ReadonlySet<unknown>; readonly processes: unknown }> {
  const nodes = new Set<unknown>();
  let processes: unknown;
  for (let left = 30; left > 0; left -= 1) {
    // A connection that was kept may be that of one that is gone.
    const response = await fetch(new URL("/health", url), { headers: { connection: "close" } }).catch(() => undefined);
    const cluster = recordOf(recordOf((await response?.json()) ?? {})["cluster"] ?? {});
    nodes.add(cluster["node"]);
    ({ processes } = cluster);
  }
  return { nodes, processes };
}
