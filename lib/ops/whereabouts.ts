// Where a target is: on this machine or elsewhere, and in which processes.

import process from "node:process";
import { isLocal, targetOf } from "../backend/target.ts";
import { childrenOf, listenersAt } from "./process-usage.ts";
import type { Target } from "./target.ts";

/** True where calls to one of its replicas leave this machine. */
export function isRemote({ plan }: Target): boolean {
  return plan.replicas.some((replica) => replica.kind === "http" && !isLocal(targetOf(new URL(replica.url))));
}

/** Whoever listens at its addresses, and the children that were started for it: those that were not there `before`. */
export function processesOf({ plan }: Target, before: ReadonlySet<number>): readonly number[] {
  const listeners = plan.replicas.flatMap((replica) => {
    if (replica.kind !== "http") return [];
    const { host, port, socketPath } = targetOf(new URL(replica.url));
    return socketPath === undefined && host !== "" ? listenersAt(port) : [];
  });
  const children = plan.replicas.some(({ kind }) => kind === "stdio")
    ? childrenOf(process.pid).filter((pid) => !before.has(pid))
    : [];
  return [...new Set([...listeners, ...children])].filter((pid) => pid !== process.pid);
}
