// How the backends of a gateway came up: what is said of each at the start.

import type { BackendHealth } from "./front/status.ts";
import { type BackendLine, backendLines } from "./ops/lines.ts";

export interface Arrival extends BackendLine {
  /** `1/2`: those that are up, and all; empty where there is one. */
  readonly replicas: string;
  /** Undefined where they are not known. */
  readonly tools: number | undefined;
  /** From the start to its handshake; undefined where it is not up. */
  readonly ms: number | undefined;
}

/** One for each backend of a health document. */
export function describeArrivals(
  backends: Readonly<Record<string, BackendHealth>>,
  startedAt: number,
  toolsOf: (backend: string) => number | undefined,
): readonly Arrival[] {
  return backendLines(backends).map((line) => {
    const { replicas = [], since = "" } = backends[line.name] ?? {};
    const up = replicas.filter(({ state }) => state === "up").length;
    const isUp = line.state === "up";
    return {
      ...line,
      replicas: replicas.length > 1 ? `${up}/${replicas.length}` : "",
      tools: isUp ? toolsOf(line.name) : undefined,
      ms: isUp ? Math.max(0, Date.parse(since) - startedAt) : undefined,
    };
  });
}
