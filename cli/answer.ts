// One answer in the form that was asked for: a table for people, documents for scripts.

import { plain, print } from "./output.ts";

export const formats = ["table", "wide", "json", "ndjson", "yaml", "name"] as const;
export type Format = (typeof formats)[number];

export const apiVersion = "mcpctl/v1";

/** JSON as somebody else wrote it; it is printed as it is, big integers and all. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a command has to show. */
export interface Shown {
  readonly kind: string;
  /** The members of the document behind `apiVersion` and `kind`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What has a line of its own in ndjson; the document itself where there is none. */
  readonly lines?: readonly Readonly<Record<string, unknown>>[];
  /** One word for each thing, to give to other commands. */
  readonly names: readonly string[];
  readonly text: (wide: boolean) => readonly string[] | Promise<readonly string[]>;
}

export async function show(format: Format, shown: Shown): Promise<void> {
  switch (format) {
    case "json":
      return void (await print(`${toJson(document(shown.kind, shown.body), 2)}\n`));
    case "yaml":
      return void (await print(await toYaml(toJson(document(shown.kind, shown.body)))));
    case "ndjson": {
      const lines = shown.lines ?? [document(shown.kind, shown.body)];
      return void (await print(lines.map((line) => `${toJson(line)}\n`).join("")));
    }
    case "name":
      return void (await print(shown.names.map((name) => `${plain(name)}\n`).join("")));
    case "table":
    case "wide": {
      const lines = await shown.text(format === "wide");
      return void (await print(lines.map((line) => `${line}\n`).join("")));
    }
  }
}

export function document(kind: string, body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { apiVersion, kind, ...body };
}

/** JSON as `JSON.stringify` writes it, with raw parts as they are. */
export function toJson(value: unknown, indent = 0, depth = 0): string {
  if (value instanceof Raw) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const inner = Array.isArray(value)
    ? value.map((each: unknown) => toJson(each, indent, depth + 1))
    : Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .map(([key, each]) => `${JSON.stringify(key)}:${indent > 0 ? " " : ""}${toJson(each, indent, depth + 1)}`);
  if (inner.length === 0) return open + close;
  if (indent === 0) return open + inner.join(",") + close;
  const pad = "\n".padEnd(1 + indent * (depth + 1));
  return `${open}${pad}${inner.join(`,${pad}`)}${"\n".padEnd(1 + indent * depth)}${close}`;
}

/** YAML of a JSON text; integers of any size stay what they are. */
export async function toYaml(json: string): Promise<string> {
  const { parse, stringify } = await import("yaml");
  const value: unknown = parse(json, { intAsBigInt: true });
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}
