// TOML text to a tree: tables, arrays of tables and dotted keys become nested maps in the order of the file.

import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import { type Problem, type Source, problemAt } from "./problems.ts";
import { type Node, type View, buildTree } from "./tree.ts";

/** The tree of a TOML text. The parser stops at the first syntax error. */
export function parseToml(source: Source): { root: Node | undefined; problems: readonly Problem[] } {
  try {
    const top = parseTOML(source.text, { tomlVersion: "1.1" }).body[0];
    const table = createTable(0);
    for (const item of top.body) {
      if (item.type === "TOMLKeyValue") insert(table, item);
      else fillTable(table, item);
    }
    return buildTree<Item>(table, view, source);
  } catch (error) {
    if (!(error instanceof ParseError)) {
      return {
        root: undefined,
        problems: [problemAt("tooMuch", { source, offset: 0 }, [], "the file is nested too deeply")],
      };
    }
    const [kind, message] = duplicate.test(error.message)
      ? (["duplicateKey", "a key or table is written twice"] as const)
      : (["syntax", `TOML: ${lowerFirst(error.message)}`] as const);
    return { root: undefined, problems: [problemAt(kind, { source, offset: error.index }, [], message)] };
  }
}

const duplicate = /duplicate|defining a key multiple times/i;

interface Table {
  readonly type: "table";
  readonly offset: number;
  readonly pairs: Map<string, { readonly key: string; readonly offset: number; readonly value: Item }>;
}

interface Tables {
  readonly type: "tables";
  readonly offset: number;
  readonly items: Table[];
}

type Item = Table | Tables | AST.TOMLContentNode;

function createTable(offset: number): Table {
  return { type: "table", offset, pairs: new Map() };
}

function fillTable(top: Table, item: AST.TOMLTable): void {
  const keys = item.key.keys;
  const last = keys.at(-1);
  if (last === undefined) return;
  const parent = descend(top, keys.slice(0, -1));
  let table: Table;
  if (item.kind === "array") {
    const known = parent.pairs.get(nameOf(last))?.value;
    const list: Tables = known?.type === "tables" ? known : { type: "tables", offset: last.range[0], items: [] };
    if (list !== known) put(parent, last, list);
    table = createTable(item.range[0]);
    list.items.push(table);
  } else table = descend(parent, [last]);
  for (const pair of item.body) insert(table, pair);
}

function insert(table: Table, pair: AST.TOMLKeyValue): void {
  const keys = pair.key.keys;
  const last = keys.at(-1);
  if (last !== undefined) put(descend(table, keys.slice(0, -1)), last, pair.value);
}

type Key = AST.TOMLBare | AST.TOMLQuoted;

function put(table: Table, key: Key, value: Item): void {
  table.pairs.set(nameOf(key), { key: nameOf(key), offset: key.range[0], value });
}

/** The table that the keys lead to, made where it is missing. The parser has refused whatever is no table. */
function descend(from: Table, keys: readonly Key[]): Table {
  let table = from;
  for (const key of keys) {
    const known = table.pairs.get(nameOf(key))?.value;
    const next = known?.type === "tables" ? known.items.at(-1) : known;
    if (next?.type === "table") table = next;
    else {
      const made = createTable(key.range[0]);
      put(table, key, made);
      table = made;
    }
  }
  return table;
}

function nameOf(key: Key): string {
  return key.type === "TOMLBare" ? key.name : key.value;
}

function view(item: Item): View<Item> {
  switch (item.type) {
    case "table":
      return { kind: "map", pairs: [...item.pairs.values()], offset: item.offset };
    case "tables":
      return { kind: "list", items: item.items, offset: item.offset };
    case "TOMLArray":
      return { kind: "list", items: item.elements, offset: item.range[0] };
    case "TOMLInlineTable": {
      const table = createTable(item.range[0]);
      for (const pair of item.body) insert(table, pair);
      return view(table);
    }
    case "TOMLValue":
      return { kind: "scalar", value: item.value, offset: item.range[0], end: item.range[1] };
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
