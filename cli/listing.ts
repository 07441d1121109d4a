// What the forms of `mcpctl list` share: the request, the walk over all servers, failures and the exit code.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GatewayError } from "../lib/index.ts";
import { type ItemKind, type Listed, listServer, type Page, type Target } from "../lib/toolbox.ts";
import type { Format } from "./answer.ts";
import { interruptedExit, type Limits } from "./patience.ts";
import { say } from "./output.ts";
import { failureBody, sayFailure } from "./report.ts";
import { noteOf } from "./table.ts";
import { version } from "./version.ts";

export interface PageRange {
  readonly from: number;
  readonly to: number;
  /** The items of these pages are wanted, too. */
  readonly dumps: boolean;
}

export interface ListRequest {
  readonly targets: readonly Target[];
  readonly kinds: readonly ItemKind[];
  readonly format: Format;
  readonly bound: Limits;
  readonly range: PageRange | undefined;
  readonly cursor: string | undefined;
  readonly maxPages: number | undefined;
  readonly maxItems: number | undefined;
  readonly dump: string | undefined;
  readonly grep: RegExp | undefined;
  readonly sortBy: "name" | "tokens" | undefined;
}

const warning = { text: "warning: ", color: "yellow" } as const;

/** Walks all servers at the same time; `heard` resolves to false where nobody wants more. */
export async function walkAll(
  request: ListRequest,
  heard: (target: Target, kind: ItemKind, page: Page) => Promise<boolean>,
): Promise<readonly Listed[]> {
  const { targets, kinds, bound, cursor, maxPages, maxItems, dump, range } = request;
  const last = Math.min(maxPages ?? Infinity, range?.to ?? Infinity);
  const options = { kinds, version, cursor, maxItems, maxPages: last === Infinity ? undefined : last };
  const page = async (target: Target, kind: ItemKind, page: Page): Promise<boolean> => {
    if (dump !== undefined) dumpPage(dump, target, kind, page);
    return heard(target, kind, page);
  };
  return Promise.all(targets.map((target) => listServer(target, { ...options, page }, bound)));
}

/** Says what failed; the exit code is that of the only server, or 1 where one of several failed. */
export function concludeAll(listed: readonly Listed[], { format, bound }: ListRequest): number {
  const failures = listed.flatMap(({ failure }) => failure ?? []);
  for (const failure of failures)
    if (failure.name !== "interrupted") sayFailure(failure, format === "json" || format === "ndjson");
  // Nobody should take a listing for whole that is not.
  for (const { backend, state, code, message } of listed.flatMap(({ missing }) => missing))
    // A document says it itself.
    if (format !== "json" && format !== "yaml")
      say(`backend ${backend} is ${state}: ${code} ${noteOf(backend, message)}`, warning);
  if (bound.interrupted) return interruptedExit(bound);
  const [only] = failures;
  if (!only) return 0;
  return listed.length === 1 ? only.exit : 1;
}

/** The servers as the documents of all forms name them. */
export function serverBodies(listed: readonly Listed[]): readonly Readonly<Record<string, unknown>>[] {
  return listed.map(({ target, protocolVersion, failure, missing }) => ({
    name: target.name,
    exit: failure?.exit ?? 0,
    ...(protocolVersion === "" ? {} : { protocolVersion }),
    ...(failure ? { error: failureBody(failure) } : {}),
    ...(missing.length === 0 ? {} : { missing }),
  }));
}

/** How an item is named so that other commands understand it. */
export function fullName(target: Target, key: string): string {
  return target.place ? `${target.name}/${key}` : key;
}

function dumpPage(folder: string, { name }: Target, kind: ItemKind, { number, answer }: Page): void {
  const base = `${name.replaceAll(/[^\w.-]+/g, "-")}-${kind}-${String(number).padStart(4, "0")}`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${base}.json`), answer.bytes);
    if (!answer.http) return;
    const { status, headers } = answer.http;
    const lines = [`HTTP ${status}`, ...[...headers].map(([name, value]) => `${name}: ${value}`)];
    writeFileSync(join(folder, `${base}.headers`), `${lines.join("\n")}\n`);
  } catch (error) {
    throw new GatewayError("output", `${join(folder, base)} cannot be written`, { cause: error });
  }
}
