// The lock: what each tool was when somebody accepted it, and what has changed since.

import { createHash } from "node:crypto";
import type { LockMode } from "../config/catalog.ts";
import { asRecord, decodeText, isRecord } from "../core/text.ts";
import { type Change, compareSnapshots } from "./changes.ts";
import { itemAt, reshape, type Slab } from "./slab.ts";

/** A tool as it was accepted. */
export interface LockedTool {
  /** Of the whole definition but for its name and metadata. */
  readonly digest: string;
  /** What people and models read of it, without its name. */
  readonly summary: Readonly<Record<string, unknown>>;
}

/** By backend, then by the tool's name there as clients see it. */
export type Lock = ReadonlyMap<string, ReadonlyMap<string, LockedTool>>;

export interface LockChange extends Change {
  readonly backend: string;
}

const version = 1;
const summarized = ["title", "description", "inputSchema", "outputSchema", "annotations"] as const;

export function lockTool(tool: unknown): LockedTool {
  const { name: _name, _meta, ...rest } = asRecord(tool);
  const digest = createHash("sha256").update(canonical(rest)).digest("base64url");
  return { digest, summary: Object.fromEntries(summarized.flatMap((key) => (key in rest ? [[key, rest[key]]] : []))) };
}

/** The lock of tools as they are now. */
export function computeLock(slabs: readonly Slab[]): Lock {
  return new Map(
    slabs.map((slab) => [slab.backend, new Map(slab.locals.map((local, row) => [local, lockTool(toolAt(slab, row))]))]),
  );
}

function toolAt(slab: Slab, row: number): unknown {
  return JSON.parse(decodeText(itemAt(slab, row)));
}

/** What is different in `after`, the gravest first for each backend; every change of a description is among it. */
export function diffLock(before: Lock, after: Lock): readonly LockChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((backend) => {
    const [was, is] = [before.get(backend), after.get(backend)];
    const snapshotOf = (tools: ReadonlyMap<string, LockedTool> = new Map()): ReadonlyMap<string, unknown> =>
      new Map([...tools].map(([name, { summary }]) => [name, summary]));
    const changes = compareSnapshots(snapshotOf(was), snapshotOf(is)).map((change) => ({ backend, ...change }));
    const told = new Set(changes.map(({ name }) => name));
    // Of what is not in the summary the digest alone is known.
    const others = [...(is ?? [])].filter(([name, { digest }]) => !told.has(name) && was?.get(name)?.digest !== digest);
    return [
      ...changes,
      ...others.map(([name]) => ({ backend, name, weight: "cosmetic" as const, what: "other members differ" })),
    ];
  });
}

/** Sorted, one member a line, so that its own changes can be read. */
export function formatLock(lock: Lock): string {
  const sorted = <T>(entries: Iterable<readonly [string, T]>): Record<string, T> =>
    Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const backends = sorted([...lock].map(([name, tools]) => [name, sorted(tools)] as const));
  return `${JSON.stringify({ version, backends }, null, 2)}\n`;
}

/** Undefined for a text that is no lock. */
export function parseLock(text: string): Lock | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const { version: written, backends } = asRecord(parsed);
    if (written !== version || !isRecord(backends)) return undefined;
    return new Map(
      Object.entries(backends).map(([backend, tools]) => [
        backend,
        new Map(Object.entries(asRecord(tools)).map(readTool)),
      ]),
    );
  } catch {
    return undefined;
  }
}

function readTool([name, written]: readonly [string, unknown]): [string, LockedTool] {
  const { digest, summary } = asRecord(written);
  return [name, { digest: String(digest), summary: asRecord(summary) }];
}

/** Keys in order, so that only what is said counts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** A tool that is not as the lock has it. */
export interface Deviation {
  readonly tool: string;
  readonly kind: "new" | "changed";
  /** What has changed, for people. */
  readonly what: string;
}

export interface Judged {
  /** What may be listed and called. */
  readonly slab: Slab;
  readonly deviations: readonly Deviation[];
}

/** Holds the tools of a running gateway against a lock. */
export class LockGuard {
  readonly mode: Exclude<LockMode, "off">;
  readonly #lock: Lock;
  readonly #judged: (backend: string, deviations: readonly Deviation[]) => void;
  readonly #known = new WeakMap<Slab, Judged>();

  /** `judged` is told of each slab in which something deviates. */
  constructor(
    mode: Exclude<LockMode, "off">,
    lock: Lock,
    judged: (backend: string, deviations: readonly Deviation[]) => void,
  ) {
    this.mode = mode;
    this.#lock = lock;
    this.#judged = judged;
  }

  judge(slab: Slab): Judged {
    const known = this.#known.get(slab);
    if (known) return known;
    const deviations = this.#compare(slab);
    const held = new Set(this.mode === "enforce" ? deviations.map(({ tool }) => tool) : []);
    const keep = (bytes: Uint8Array, local: string): { bytes: Uint8Array; local: string } | undefined =>
      held.has(local) ? undefined : { bytes, local };
    const judged = { slab: held.size > 0 ? reshape(slab, "name", keep) : slab, deviations };
    this.#known.set(slab, judged);
    if (deviations.length > 0) this.#judged(slab.backend, deviations);
    return judged;
  }

  #compare(slab: Slab): readonly Deviation[] {
    const accepted = this.#lock.get(slab.backend);
    return slab.locals.flatMap((tool, row): Deviation[] => {
      const was = accepted?.get(tool);
      if (!was) return [{ tool, kind: "new", what: "is new" }];
      const is = lockTool(toolAt(slab, row));
      if (is.digest === was.digest) return [];
      const one = (locked: LockedTool): Lock => new Map([[slab.backend, new Map([[tool, locked]])]]);
      const what = diffLock(one(was), one(is)).map((change) => change.what);
      return [{ tool, kind: "changed", what: what.join(", ") }];
    });
  }
}
