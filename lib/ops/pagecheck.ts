// Looks for the faults that listings have: cycles, duplicates, an order that changes, cursors that mean nothing.

import { createHash } from "node:crypto";
import { asGatewayError } from "../core/errors.ts";
import { askPage, type ItemKind, type Page, shorten, walkPages } from "./pages.ts";
import type { Patience, Peer } from "./peer.ts";

const pageFaults = [
  "cycle",
  "duplicate",
  "order",
  "changed",
  "bogus-cursor",
  "empty-page",
  "skipped",
  "failed",
] as const;
type PageFault = (typeof pageFaults)[number];

export interface Finding {
  readonly kind: ItemKind;
  readonly fault: PageFault;
  readonly detail: string;
}

export interface Checked {
  readonly kind: ItemKind;
  readonly pages: number;
  readonly items: number;
  readonly findings: readonly Finding[];
}

export interface CheckLimits {
  readonly maxPages?: number | undefined;
  readonly maxItems?: number | undefined;
}

/** One pass over a listing; digests, not names, so that a million items fit. */
interface Pass {
  readonly keys: Set<string>;
  /** Of all names in their order. */
  readonly order: string;
  /** Of all items in the order of their names. */
  readonly content: string;
  readonly pages: number;
  readonly items: number;
}

/** Walks twice and tries a cursor that nobody gave out. Rejects where the server cannot be asked at all. */
export async function checkPages(
  peer: Peer,
  kind: ItemKind,
  limits: CheckLimits,
  patience: Patience,
): Promise<Checked> {
  const findings: Finding[] = [];
  const note = (fault: PageFault, detail: string): void => {
    // Of one fault a few places say enough.
    if (findings.filter((each) => each.fault === fault).length < 5) findings.push({ kind, fault, detail });
  };
  const first = await walk(peer, kind, limits, patience, note);
  if (findings.some(({ fault }) => fault === "cycle" || fault === "failed"))
    return { kind, pages: first.pages, items: first.items, findings: withoutEchoes(findings) };
  const second = await walk(peer, kind, limits, patience, () => {});
  compare(first, second, note);
  // A server that never gives a cursor out need not look at one.
  if (first.pages > 1) await tryBogus(peer, kind, patience, note);
  return { kind, pages: first.pages, items: first.items, findings };
}

/** On the second round of a cycle everything comes again. */
function withoutEchoes(findings: readonly Finding[]): readonly Finding[] {
  if (!findings.some(({ fault }) => fault === "cycle")) return findings;
  return findings.filter(({ fault }) => fault !== "duplicate");
}

type Note = (fault: PageFault, detail: string) => void;

async function walk(peer: Peer, kind: ItemKind, limits: CheckLimits, patience: Patience, note: Note): Promise<Pass> {
  const keys = new Set<string>();
  const order = createHash("sha256");
  const digests: string[] = [];
  let pages = 0;
  let items = 0;
  const cycle = ({ number, next = "" }: Page): void =>
    note("cycle", `page ${number} leads back to the cursor ${shorten(next)}`);
  try {
    for await (const page of walkPages(peer, { kind, ...limits, cycle }, patience)) {
      pages += 1;
      if (page.items.length === 0 && page.next !== undefined)
        note("empty-page", `page ${page.number} is empty and has a next cursor`);
      if (page.skipped > 0) note("skipped", `page ${page.number} has ${page.skipped} elements that are no items`);
      for (const { key, text } of page.items) {
        items += 1;
        const short = digest(key);
        if (keys.has(short)) note("duplicate", `${shorten(key)} comes again on page ${page.number}`);
        keys.add(short);
        order.update(`${key}\0`);
        digests.push(digest(text));
      }
    }
  } catch (error) {
    if (pages === 0) throw error;
    note("failed", `page ${pages + 1}: ${asGatewayError(error).message}`);
  }
  const content = createHash("sha256");
  for (const each of digests.sort()) content.update(each);
  return { keys, order: order.digest("hex"), content: content.digest("hex"), pages, items };
}

function compare(first: Pass, second: Pass, note: Note): void {
  const gone = [...first.keys].filter((key) => !second.keys.has(key)).length;
  const added = [...second.keys].filter((key) => !first.keys.has(key)).length;
  if (gone + added > 0) note("changed", `between two passes ${gone} items went and ${added} came`);
  else if (first.content !== second.content) note("changed", "items say something else on the second pass");
  else if (first.order !== second.order) note("order", "two passes give the same items in another order");
}

async function tryBogus(peer: Peer, kind: ItemKind, patience: Patience, note: Note): Promise<void> {
  try {
    const page = await askPage(peer, { kind }, "mcpctl-no-such-cursor", 2, patience);
    if (page) note("bogus-cursor", `a cursor that was never given out is answered with ${page.items.length} items`);
  } catch (error) {
    const { code, message } = asGatewayError(error);
    if (code === "invalidParams") return;
    note("bogus-cursor", `a cursor that was never given out is not answered with -32602 (${message})`);
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64").slice(0, 12);
}
