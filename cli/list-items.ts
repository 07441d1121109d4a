// `mcpctl list`: items in one list, those of all servers together.

import process from "node:process";
import { type ItemKind, keepItems, type ListedItem, type Target, tokensOf } from "../lib/toolbox.ts";
import { document, Raw, show, toJson } from "./answer.ts";
import { concludeAll, fullName, type ListRequest, serverBodies, walkAll } from "./listing.ts";
import { print, say } from "./output.ts";

/** An item with where it comes from. */
export interface Row {
  readonly target: Target;
  readonly kind: ItemKind;
  readonly item: ListedItem;
  readonly tokens: number;
}

export async function listItems(request: ListRequest): Promise<number> {
  if (request.format === "ndjson" && request.sortBy === undefined) return streamItems(request);
  // Only what is shown is kept: a dump of a million items is none of the memory's business.
  const keeps = request.dump === undefined || request.format !== "table";
  const rows: Row[] = [];
  let count = 0;
  const listed = await walkAll(request, async (target, kind, { items }) => {
    count += items.length;
    if (keeps) rows.push(...rowsOf(request, target, kind, items));
    return true;
  });
  // An error has no answer beside it; somebody who stops has seen enough, and gets what there is.
  const isEmpty =
    listed.every(({ failure }) => failure !== undefined) && !(request.bound.interrupted && rows.length > 0);
  if (keeps && request.grep === undefined) keepNames(request, rows);
  if (!isEmpty && keeps) await showRows(request, sortRows(request, rows), serverBodies(listed));
  if (!keeps) say(`${count} items written to ${request.dump}`);
  return concludeAll(listed, request);
}

/** For completion: all that the servers of a config have of a kind. */
function keepNames({ targets, kinds }: ListRequest, rows: readonly Row[]): void {
  if (targets.some(({ place, item }) => !place || item !== undefined)) return;
  for (const kind of kinds) {
    const names = rows.filter((row) => row.kind === kind).map(({ target, item }) => fullName(target, item.key));
    if (names.length > 0) keepItems(process.cwd(), kind, names, process.env);
  }
}

/** Each page leaves when it has come; nothing of it is kept. */
async function streamItems(request: ListRequest): Promise<number> {
  const listed = await walkAll(request, async (target, kind, { items }) => {
    const lines = rowsOf(request, target, kind, items).map((row) => `${toJson(document("Item", bodyOf(row)))}\n`);
    return lines.length === 0 || print(lines.join(""));
  });
  return concludeAll(listed, request);
}

export function rowsOf(
  { grep }: Pick<ListRequest, "grep">,
  target: Target,
  kind: ItemKind,
  items: readonly ListedItem[],
): readonly Row[] {
  return items
    .filter(
      (item) => nameMatches(target, item.key) && (grep === undefined || grep.test(item.key) || grep.test(item.text)),
    )
    .map((item) => ({ target, kind, item, tokens: tokensOf(item.text) }));
}

function nameMatches({ item }: Target, key: string): boolean {
  return item === undefined || globOf(item).test(key);
}

function globOf(glob: string): RegExp {
  const pattern = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${pattern}$`, "s");
}

function sortRows({ sortBy, targets, kinds }: ListRequest, rows: readonly Row[]): readonly Row[] {
  if (sortBy === "tokens") return rows.toSorted((a, b) => b.tokens - a.tokens);
  if (sortBy === "name")
    return rows.toSorted((a, b) => (a.item.key < b.item.key ? -1 : a.item.key > b.item.key ? 1 : 0));
  // Servers answer at the same time: their items stand in the order of the config, and of the server.
  const order = ({ target, kind }: Row): number => targets.indexOf(target) * kinds.length + kinds.indexOf(kind);
  return rows.toSorted((a, b) => order(a) - order(b));
}

async function showRows(
  request: ListRequest,
  rows: readonly Row[],
  servers: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
  await show(request.format, {
    kind: "ItemList",
    body: { servers, tokens, items: rows.map(bodyOf) },
    lines: rows.map((row) => document("Item", bodyOf(row))),
    names: rows.map(({ target, item }) => fullName(target, item.key)),
    text: async (wide) => tableOf(request, rows, wide),
  });
  const isTable = request.format === "table" || request.format === "wide";
  if (isTable && rows.length > 0) say(`${rows.length} items, about ${tokens.toLocaleString("en")} tokens`);
  else if (isTable) say("no items");
}

function bodyOf({ target, kind, item, tokens }: Row): Readonly<Record<string, unknown>> {
  return { server: target.name, type: kind, name: item.key, tokens, item: new Raw(item.text) };
}

async function tableOf({ kinds }: ListRequest, rows: readonly Row[], wide: boolean): Promise<readonly string[]> {
  const { table } = await import("./columns.ts");
  if (rows.length === 0) return [];
  const columns = [
    { title: "NAME", flexible: true, floor: 40 },
    { title: kinds.length > 1 ? "TYPE" : "" },
    { title: "TOKENS", align: "right" as const },
    { title: wide ? "ARGUMENTS" : "", flexible: true },
    { title: wide ? "HINTS" : "", flexible: true },
    { title: "DESCRIPTION", flexible: true },
  ];
  const cells = rows.map((row) => {
    const { args, hints, description } = readItem(row.item.text);
    const type = kinds.length > 1 ? row.kind.replace(/s$/, "") : "";
    return [
      fullName(row.target, row.item.key),
      type,
      String(row.tokens),
      wide ? args : "",
      wide ? hints : "",
      description,
    ];
  });
  const used = columns.map(({ title }) => title !== "");
  return table(
    columns.filter((_, index) => used[index]),
    cells.map((row) => row.filter((_, index) => used[index])),
  );
}

interface Read {
  /** `a* b`: names of arguments, those that are needed with a star. */
  readonly args: string;
  readonly hints: string;
  readonly description: string;
}

function readItem(text: string): Read {
  const item = recordOf(JSON.parse(text));
  const description = ["description", "title", "mimeType"]
    .map((key) => item[key])
    .find((each) => typeof each === "string");
  return { args: argsOf(item), hints: hintsOf(item), description: typeof description === "string" ? description : "" };
}

function argsOf(item: Readonly<Record<string, unknown>>): string {
  const schema = recordOf(item["inputSchema"]);
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const properties = Object.keys(recordOf(schema["properties"]));
  const list = Array.isArray(item["arguments"]) ? item["arguments"].map(recordOf) : [];
  const prompts = list.map((each) => `${String(each["name"])}${each["required"] === true ? "*" : ""}`);
  return [...properties.map((name) => `${name}${required.includes(name) ? "*" : ""}`), ...prompts].join(" ");
}

function hintsOf(item: Readonly<Record<string, unknown>>): string {
  const hints = recordOf(item["annotations"]);
  const said = Object.entries(hints).filter(([name, value]) => name.endsWith("Hint") && value === true);
  const kind = item["mimeType"];
  return [...said.map(([name]) => name.replace("Hint", "")), ...(typeof kind === "string" ? [kind] : [])].join(" ");
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
