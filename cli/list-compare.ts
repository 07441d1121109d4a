// `mcpctl list --diff` and `--via`: what is listed now against a snapshot, or against what a gateway shows.

import { readFileSync } from "node:fs";
import { GatewayError } from "../lib/index.ts";
import { type Change, compareSnapshots, type Listed, urlTarget } from "../lib/toolbox.ts";
import { document, show } from "./answer.ts";
import { rowsOf } from "./list-items.ts";
import { concludeAll, fullName, type ListRequest, walkAll } from "./listing.ts";
import { say } from "./output.ts";

/** Items by kind and name. */
type Items = ReadonlyMap<string, unknown>;

/** Exits with 1 where something differs that breaks callers, or anything at all behind a gateway. */
export async function compareListings(
  request: ListRequest,
  diff: string | undefined,
  via: string | undefined,
): Promise<number> {
  const snapshot = diff === undefined ? undefined : readSnapshot(diff, request);
  const now = new Map<string, unknown>();
  const listed = await collect(request, now, via !== undefined);
  const shown = new Map<string, unknown>();
  const behind =
    via === undefined ? [] : await collect({ ...request, targets: [urlTarget(via)], dump: undefined }, shown, false);
  const all = [...listed, ...behind];
  const exit = concludeAll(all, request);
  if (all.some(({ failure }) => failure)) return exit;
  const changes = snapshot ? compareSnapshots(snapshot, now) : compareSnapshots(now, shown);
  await showChanges(request, changes);
  const isNo = via === undefined ? changes.some(({ weight }) => weight === "breaking") : changes.length > 0;
  return isNo ? 1 : 0;
}

/** With `exposed`, tools and prompts get the names that a gateway gives them. */
async function collect(
  request: ListRequest,
  items: Map<string, unknown>,
  exposed: boolean,
): Promise<readonly Listed[]> {
  return walkAll(request, async (target, kind, page) => {
    for (const { item } of rowsOf(request, target, kind, page.items)) {
      const isNamed = kind === "tools" || kind === "prompts";
      const name = exposed && isNamed && target.place ? `${target.name}__${item.key}` : fullName(target, item.key);
      const key = exposed && !isNamed ? item.key : name;
      items.set(request.kinds.length > 1 ? `${kind.replace(/s$/, "")} ${key}` : key, JSON.parse(item.text));
    }
    return true;
  });
}

function readSnapshot(file: string, request: ListRequest): Items {
  try {
    const document: unknown = JSON.parse(readFileSync(file, "utf8"));
    const items: unknown =
      typeof document === "object" && document !== null ? Reflect.get(document, "items") : undefined;
    if (!Array.isArray(items)) throw new TypeError("it has no items");
    return new Map(items.flatMap((each: unknown) => entryOf(each, request)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError("usage", `--diff ${file} is no output of mcpctl list -o json (${why})`, { cause: error });
  }
}

function entryOf(item: unknown, { kinds, targets }: ListRequest): readonly (readonly [string, unknown])[] {
  if (typeof item !== "object" || item === null) return [];
  const [type, server, name] = ["type", "server", "name"].map((key) => String(Reflect.get(item, key)));
  const target = targets.find((each) => each.name === server) ?? targets[0];
  if (!target || name === undefined || !kinds.some((kind) => kind === type)) return [];
  const full = fullName(target, name);
  const value: unknown = Reflect.get(item, "item");
  return [[kinds.length > 1 ? `${String(type).replace(/s$/, "")} ${full}` : full, value]];
}

async function showChanges(request: ListRequest, changes: readonly Change[]): Promise<void> {
  await show(request.format, {
    kind: "ListingDiff",
    body: { same: changes.length === 0, changes },
    lines: changes.map((change) => document("Change", { ...change })),
    names: [...new Set(changes.map(({ name }) => name))],
    text: async () => {
      const { table } = await import("./columns.ts");
      if (changes.length === 0) return [];
      return table(
        [
          { title: "CHANGE", color: (cell) => (cell === "breaking" ? "red" : cell === "cosmetic" ? "dim" : "yellow") },
          { title: "NAME", flexible: true },
          { title: "WHAT", flexible: true },
        ],
        changes.map(({ weight, name, what }) => [weight, name, what]),
      );
    },
  });
  if (changes.length === 0 && (request.format === "table" || request.format === "wide")) say("no differences");
}
