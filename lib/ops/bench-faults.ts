// Faults as people write them, `kill:b@10s..20s`, and the parts of a system that can have them.

import process from "node:process";
import { nearest } from "../config/problems.ts";
import { parseDuration } from "../config/units.ts";
import { GatewayError } from "../core/errors.ts";

export const faultKinds = ["kill", "freeze", "blackhole", "slow", "5xx", "reset", "session-loss", "garbage"] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** As it was written. */
  readonly text: string;
  readonly kind: FaultKind;
  readonly part: string;
  /** From the beginning of the run. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Something that can break: a process, or what stands before an address. */
export interface Part {
  readonly name: string;
  readonly kinds: ReadonlySet<FaultKind>;
  begin(kind: FaultKind): Promise<void>;
  end(kind: FaultKind): Promise<void>;
}

/** Throws `usage` for what is no fault. */
export function parseFault(text: string): Fault {
  const [, kind = "", part = "a", from = "", to = from] =
    /^([\w-]+)(?::([\w.-]+))?@(\w[\w.]*?)(?:\.\.(\w[\w.]*))?$/.exec(text) ?? [];
  const known = faultKinds.find((each) => each === kind);
  const fromMs = parseDuration(from);
  const toMs = parseDuration(to);
  if (known !== undefined && fromMs !== undefined && toMs !== undefined && toMs >= fromMs)
    return { text, kind: known, part, fromMs, toMs };
  const near = kind === "" || known !== undefined ? undefined : nearest(kind, faultKinds);
  const meant =
    near === undefined ? `write it like kill:b@10s..20s; there are ${faultKinds.join(", ")}` : `did you mean ${near}?`;
  throw new GatewayError("usage", `${JSON.stringify(text)} is no fault; ${meant}`);
}

/** A process on this machine: killed and started again, or stopped for a while. */
export function processPart(name: string, pids: () => readonly number[], restart?: () => Promise<void>): Part {
  const signal = (which: NodeJS.Signals): void => {
    for (const pid of pids()) {
      try {
        process.kill(pid, which);
      } catch {
        // It has ended by itself.
      }
    }
  };
  return {
    name,
    kinds: new Set(["kill", "freeze"]),
    begin: (kind) => Promise.resolve(signal(kind === "kill" ? "SIGKILL" : "SIGSTOP")),
    end: async (kind) => {
      if (kind === "freeze") signal("SIGCONT");
      else await restart?.();
    },
  };
}

/** An address with a proxy before it, which can do what a network and a broken server do. */
export function proxyPart(name: string, proxy: Pick<Part, "begin" | "end">): Part {
  return { name, kinds: new Set(faultKinds), begin: (kind) => proxy.begin(kind), end: (kind) => proxy.end(kind) };
}

/** The process does what it can, and the proxy before it the rest. */
export function jointPart(first: Part, second: Part): Part {
  const of = (kind: FaultKind): Part => (first.kinds.has(kind) ? first : second);
  return {
    name: first.name,
    kinds: new Set([...first.kinds, ...second.kinds]),
    begin: (kind) => of(kind).begin(kind),
    end: (kind) => of(kind).end(kind),
  };
}

/** The part that a fault is about; throws `usage` where there is none, or it cannot have that. */
export function partOf({ kind, part, text }: Fault, parts: readonly Part[]): Part {
  const found = parts.find(({ name }) => name === part);
  if (!found) {
    const names = parts.map(({ name }) => name).join(", ");
    throw new GatewayError(
      "usage",
      `${text}: there is no part ${part}; there are ${names || "none: name one with --part"}`,
    );
  }
  if (found.kinds.has(kind)) return found;
  throw new GatewayError(
    "usage",
    `${text}: ${part} is a process, which can have ${[...found.kinds].join(" and ")} alone`,
  );
}
