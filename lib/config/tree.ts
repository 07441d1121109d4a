// A config as a tree in which every key and value knows its place: what parsers make, and what mistakes are reported on.

import {
  type FilePlace,
  type Path,
  type Place,
  type Problem,
  type Source,
  filePlace,
  formatPath,
  problemAt,
} from "./problems.ts";

export interface Scalar {
  readonly kind: "scalar";
  readonly value: unknown;
  readonly place: Place;
  /** Where its text ends in the source. */
  readonly end: number;
  readonly path: Path;
}

export interface List {
  readonly kind: "list";
  readonly items: readonly Node[];
  readonly place: Place;
  readonly path: Path;
}

export interface Mapping {
  readonly kind: "map";
  /** In the order in which the file has them. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly place: Place;
  readonly path: Path;
}

export type Node = Scalar | List | Mapping;

export interface Entry {
  /** Where the key is. */
  readonly key: Place;
  readonly node: Node;
}

/** A parser's node, one level deep. `N` is the parser's type. */
export type View<N> =
  | {
      readonly kind: "scalar";
      readonly value: unknown;
      readonly offset: number;
      readonly end: number;
      /** What is wrong with it, where the parser leaves that to its caller. */
      readonly fault?: string | undefined;
    }
  | { readonly kind: "list"; readonly items: readonly N[]; readonly offset: number }
  | {
      readonly kind: "map";
      readonly pairs: readonly { readonly key: string; readonly offset: number; readonly value: N }[];
      readonly offset: number;
    };

// A config is written by hand: these are far beyond any, and keep an alias bomb or a tower of brackets cheap.
const maxDepth = 32;
const maxNodes = 100_000;

/** The tree of a parsed file, with duplicate keys, keys that could reach a prototype, and monstrous shapes reported. */
export function buildTree<N>(
  root: N,
  view: (native: N) => View<N>,
  source: Source,
): { root: Node; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  let nodes = 0;
  const build = (native: N, path: Path): Node => {
    const seen = view(native);
    const place = { source, offset: seen.offset };
    const cut = (): Scalar => ({ kind: "scalar", value: null, place, end: seen.offset, path });
    nodes++;
    if (nodes > maxNodes || path.length > maxDepth) {
      const message = nodes > maxNodes ? "the file holds more than 100000 values" : "the file is nested too deeply";
      if (problems.length === 0) problems.push(problemAt("tooMuch", place, [], message));
      return cut();
    }
    if (seen.kind === "scalar" && seen.fault !== undefined) problems.push(problemAt("syntax", place, path, seen.fault));
    if (seen.kind === "scalar") return { kind: "scalar", value: seen.value, place, end: seen.end, path };
    if (seen.kind === "list") {
      const items: Node[] = [];
      // Checked in the loop, too: a bomb is wide at every level.
      for (const [index, item] of seen.items.entries())
        if (nodes <= maxNodes) items.push(build(item, [...path, index]));
      return { kind: "list", items, place, path };
    }
    const entries = new Map<string, Entry>();
    for (const { key, offset, value } of seen.pairs) {
      if (nodes > maxNodes) break;
      const at = { source, offset };
      const inner = [...path, key];
      if (key === "__proto__") {
        problems.push(problemAt("forbiddenKey", at, inner, `the key "__proto__" is not allowed`));
      } else if (entries.has(key)) {
        problems.push(problemAt("duplicateKey", at, inner, `${formatPath(inner)} is written twice`));
      } else entries.set(key, { key: at, node: build(value, inner) });
    }
    return { kind: "map", entries, place, path };
  };
  return { root: build(root, []), problems };
}

/** Later over earlier: maps are merged key by key, everything else is replaced. */
export function mergeTrees(earlier: Node, later: Node): Node {
  if (earlier.kind !== "map" || later.kind !== "map") return later;
  const entries = new Map(earlier.entries);
  for (const [key, entry] of later.entries) {
    const old = entries.get(key);
    entries.set(key, old === undefined ? entry : { key: entry.key, node: mergeTrees(old.node, entry.node) });
  }
  return { ...later, entries };
}

/** The plain value of a tree. */
export function toValue(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toValue);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toValue(entry.node)]));
}

/** A copy of the tree with every text passed through `replace`. Keys stay as they are. */
export function mapTexts(node: Node, replace: (text: string, scalar: Scalar) => string): Node {
  if (node.kind === "list") return { ...node, items: node.items.map((item) => mapTexts(item, replace)) };
  if (node.kind === "scalar") {
    return typeof node.value === "string" ? { ...node, value: replace(node.value, node) } : node;
  }
  const entries = [...node.entries].map(([key, entry]): [string, Entry] => [
    key,
    { key: entry.key, node: mapTexts(entry.node, replace) },
  ]);
  return { ...node, entries: new Map(entries) };
}

/** The entry of a map, or undefined for anything else. */
export function entryOf(node: Node | undefined, key: string): Entry | undefined {
  return node?.kind === "map" ? node.entries.get(key) : undefined;
}

/** The text at a key of a map, or undefined where there is none. */
export function textOf(node: Node | undefined, key: string): string | undefined {
  const inner = entryOf(node, key)?.node;
  return inner?.kind === "scalar" && typeof inner.value === "string" ? inner.value : undefined;
}

/** What is at a path of keys and indexes: its node, and the place of the key that leads to it. */
export function find(root: Node, path: readonly PropertyKey[]): Entry | undefined {
  let found: Entry | undefined = { key: root.place, node: root };
  for (const step of path) {
    const node: Node | undefined = found?.node;
    if (node?.kind === "list") {
      const item: Node | undefined = node.items[Number(step)];
      found = item && { key: item.place, node: item };
    } else found = entryOf(node, String(step));
  }
  return found;
}

/** Where each backend of a config is written. */
export function backendPlaces(root: Node): ReadonlyMap<string, FilePlace> {
  const section = entryOf(root, "backends")?.node;
  const entries = section?.kind === "map" ? [...section.entries] : [];
  return new Map(entries.map(([name, { key }]) => [name, filePlace(key)]));
}
