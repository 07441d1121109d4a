// `mcpctl list --page`: each page as the server gives it.

import { type ItemKind, type Page, shorten, type Target } from "../lib/toolbox.ts";
import { document, Raw, show, toJson } from "./answer.ts";
import { rowsOf } from "./list-items.ts";
import { concludeAll, fullName, type ListRequest, serverBodies, walkAll } from "./listing.ts";
import { print } from "./output.ts";

/** A page without its items, unless they are wanted. */
interface Seen {
  readonly target: Target;
  readonly kind: ItemKind;
  readonly body: Readonly<Record<string, unknown>>;
  readonly cells: readonly string[];
  readonly names: readonly string[];
  readonly items: readonly (readonly [name: string, text: string])[];
}

export async function listPages(request: ListRequest): Promise<number> {
  const { range, format, targets, kinds } = request;
  const pages: Seen[] = [];
  const listed = await walkAll(request, async (target, kind, page) => {
    if (range && page.number < range.from) return true;
    const seen = look(request, target, kind, page);
    if (format === "ndjson") return print(`${toJson(document("Page", seen.body))}\n`);
    pages.push(seen);
    return true;
  });
  const order = ({ target, kind }: Seen): number => targets.indexOf(target) * kinds.length + kinds.indexOf(kind);
  const sorted = pages.toSorted((a, b) => order(a) - order(b));
  if (
    format !== "ndjson" &&
    (listed.some(({ failure }) => !failure) || (request.bound.interrupted && sorted.length > 0))
  ) {
    await show(format, {
      kind: "PageList",
      body: { servers: serverBodies(listed), pages: sorted.map(({ body }) => body) },
      names: sorted.flatMap(({ names }) => names),
      text: () => textOf(request, sorted),
    });
  }
  return concludeAll(listed, request);
}

function look(request: ListRequest, target: Target, kind: ItemKind, page: Page): Seen {
  const dumps = request.range?.dumps === true;
  const rows = rowsOf(request, target, kind, page.items);
  const [first, last] = [rows[0]?.item.key, rows.at(-1)?.item.key];
  const { number, cursor, next, answer } = page;
  const bytes = answer.bytes.length;
  const body = {
    server: target.name,
    type: kind,
    page: number,
    cursor: cursor ?? null,
    next: next ?? null,
    count: rows.length,
    first,
    last,
    bytes,
    ms: Math.round(answer.ms * 100) / 100,
    ...(answer.http ? { status: answer.http.status } : {}),
    ...(dumps ? { items: rows.map(({ item }) => new Raw(item.text)) } : {}),
  };
  const span = first === undefined ? "" : first === last ? first : `${first} … ${last ?? ""}`;
  const cells = [
    target.name,
    kind,
    String(number),
    cursor === undefined ? "–" : shorten(cursor, 16),
    String(rows.length),
    span,
    next === undefined ? "–" : shorten(next, 16),
    bytes < 10_000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`,
    `${answer.ms.toFixed(1)} ms`,
  ];
  const items = dumps ? rows.map(({ item }) => [item.key, item.text] as const) : [];
  // Names are kept where they are asked for, and nowhere else.
  const names = request.format === "name" ? rows.map(({ item }) => fullName(target, item.key)) : [];
  return { target, kind, body, cells, names, items };
}

async function textOf({ targets, kinds, range }: ListRequest, pages: readonly Seen[]): Promise<readonly string[]> {
  const { table } = await import("./columns.ts");
  if (pages.length === 0) return [];
  const columns = [
    { title: targets.length > 1 ? "SERVER" : "" },
    { title: kinds.length > 1 ? "TYPE" : "" },
    { title: "PAGE", align: "right" as const },
    { title: "CURSOR", flexible: true },
    { title: "ITEMS", align: "right" as const },
    { title: "FIRST … LAST", flexible: true },
    { title: "NEXT", flexible: true },
    { title: "BYTES", align: "right" as const },
    { title: "TIME", align: "right" as const },
  ];
  const used = columns.map(({ title }) => title !== "");
  const rows = pages.map(({ cells }) => cells.filter((_, index) => used[index]));
  const summary = table(
    columns.filter((_, index) => used[index]),
    rows,
  );
  if (range?.dumps !== true) return summary;
  const items = pages.flatMap(({ target, items }) => items.map(([key, text]) => [fullName(target, key), text]));
  const details = table([{ title: "NAME" }, { title: "ITEM", flexible: true }], items);
  return [...summary, "", ...details];
}
