// What changed between two listings of the same things, and for whom it matters.

import { asRecord, isRecord } from "../core/text.ts";

/** `breaking`: calls that worked may fail; `compatible`: more, or looser; `cosmetic`: words alone. */
export type Weight = "breaking" | "compatible" | "cosmetic";

export interface Change {
  readonly name: string;
  readonly weight: Weight;
  readonly what: string;
}

/** An item by its name; undefined on the side where it is not. */
export type Snapshot = ReadonlyMap<string, unknown>;

const words = ["description", "title", "icons", "_meta"] as const;
const weights: readonly Weight[] = ["breaking", "compatible", "cosmetic"];

/** The gravest first, and of the same weight in the order of names. */
export function compareSnapshots(before: Snapshot, after: Snapshot): readonly Change[] {
  const changes: Change[] = [];
  for (const [name, item] of before) {
    if (!after.has(name)) changes.push({ name, weight: "breaking", what: "is gone" });
    else changes.push(...compareItems(name, asRecord(item), asRecord(after.get(name))));
  }
  for (const name of after.keys()) if (!before.has(name)) changes.push({ name, weight: "compatible", what: "is new" });
  return changes.toSorted(
    (a, b) => weights.indexOf(a.weight) - weights.indexOf(b.weight) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
}

type Item = Readonly<Record<string, unknown>>;

function compareItems(name: string, before: Item, after: Item): readonly Change[] {
  const changes: Change[] = [];
  const note = (weight: Weight, what: string): void => void changes.push({ name, weight, what });
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (key === "name" || same(before[key], after[key])) continue;
    if (words.some((word) => word === key)) note("cosmetic", `${key} says something else`);
    else if (key === "inputSchema") compareInput(asRecord(before[key]), asRecord(after[key]), "", note);
    else if (key === "outputSchema") note(after[key] === undefined ? "breaking" : "compatible", "outputSchema differs");
    else if (key === "arguments") compareArguments(before[key], after[key], note);
    else if (key === "annotations") note("compatible", `annotations differ: ${differing(before[key], after[key])}`);
    else note("compatible", `${key} differs`);
  }
  return changes;
}

type Note = (weight: Weight, what: string) => void;

function compareInput(before: Item, after: Item, path: string, note: Note): void {
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const [had, has] = [asRecord(before["properties"]), asRecord(after["properties"])];
  const [needed, needs] = [listOf(before["required"]), listOf(after["required"])];
  for (const key of needs.filter((each) => !needed.includes(each))) note("breaking", `${at(key)} is required now`);
  for (const key of needed.filter((each) => !needs.includes(each) && has[each] !== undefined))
    note("compatible", `${at(key)} is optional now`);
  for (const key of Object.keys(had)) {
    if (has[key] === undefined) note("breaking", `argument ${at(key)} is gone`);
    else compareProperty(asRecord(had[key]), asRecord(has[key]), at(key), note);
  }
  for (const key of Object.keys(has))
    if (had[key] === undefined && !needs.includes(key)) note("compatible", `argument ${at(key)} is new`);
  const plain = (schema: Item): Item =>
    Object.fromEntries(Object.entries(schema).filter(([key]) => !["properties", "required", ...words].includes(key)));
  if (path === "" && !same(plain(before), plain(after)))
    note("breaking", `inputSchema differs: ${differing(plain(before), plain(after))}`);
}

function compareProperty(before: Item, after: Item, path: string, note: Note): void {
  if (same(before, after)) return;
  if (!same(before["type"], after["type"]))
    return note("breaking", `${path} is of type ${show(after["type"])}, was ${show(before["type"])}`);
  const [had, has] = [before["enum"], after["enum"]];
  if (Array.isArray(had) && Array.isArray(has)) {
    const lost = had.filter((value) => !has.some((each) => same(each, value)));
    const more = has.filter((value) => !had.some((each) => same(each, value)));
    if (lost.length > 0) note("breaking", `${path} does not take ${lost.map(show).join(", ")} any more`);
    if (more.length > 0) note("compatible", `${path} takes ${more.map(show).join(", ")}, too`);
  }
  if (before["properties"] !== undefined || after["properties"] !== undefined) compareInput(before, after, path, note);
  const rest = Object.keys({ ...before, ...after }).filter(
    (key) => !["type", "enum", "properties", "required"].includes(key) && !same(before[key], after[key]),
  );
  const isLooser = (key: string): boolean => after[key] === undefined && key !== "default";
  for (const key of rest) {
    if (words.some((word) => word === key) || key === "examples") note("cosmetic", `${key} of ${path} differs`);
    else note(isLooser(key) || key === "default" ? "compatible" : "breaking", `${key} of ${path} differs`);
  }
  if ((had === undefined) !== (has === undefined))
    note(
      has === undefined ? "compatible" : "breaking",
      `${path} takes ${has === undefined ? "any value" : "fewer values"}`,
    );
}

function compareArguments(before: unknown, after: unknown, note: Note): void {
  const index = (value: unknown): ReadonlyMap<string, Item> =>
    new Map((Array.isArray(value) ? value : []).map(asRecord).map((each) => [String(each["name"]), each]));
  const [had, has] = [index(before), index(after)];
  for (const [name, argument] of has) {
    const old = had.get(name);
    if (argument["required"] === true && old?.["required"] !== true) note("breaking", `${name} is required now`);
    else if (!old) note("compatible", `argument ${name} is new`);
    else if (!same(old, argument)) note("cosmetic", `argument ${name} says something else`);
  }
  for (const name of had.keys()) if (!has.has(name)) note("breaking", `argument ${name} is gone`);
}

function differing(before: unknown, after: unknown): string {
  const [a, b] = [asRecord(before), asRecord(after)];
  return Object.keys({ ...a, ...b })
    .filter((key) => !same(a[key], b[key]))
    .join(", ");
}

/** Order of keys says nothing, order of elements does. */
function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((each, index) => same(each, b[index]));
  if (!isRecord(a) || !isRecord(b)) return Object.is(a, b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "none";
}
