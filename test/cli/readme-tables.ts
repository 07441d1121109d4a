// The tables of the README as the schema and the commands' help have them.
import { configJsonSchema } from "../../lib/index.ts";
import type { Rows } from "../kit/readme.ts";
import { mcpctl } from "./kit.ts";

/** Key, default and description of every key of a config file. */
export async function keyRows(): Promise<Rows> {
  return flatten(await configJsonSchema(), "");
}

/** The same of the keys of a backend. */
export async function backendKeyRows(): Promise<Rows> {
  const backends = member(member(await configJsonSchema(), "properties"), "backends");
  return flatten(member(backends, "additionalProperties"), "");
}

/** Command or flag, and what it does, as `--help` says it. */
export function commandRows(): Rows {
  const { stdout } = mcpctl(["--help"]);
  const commands = section(stdout, "COMMANDS").map((line) => line.trim().split(/ {4,}/));
  return commands.flatMap(([name = "", about = ""]) => {
    const help = mcpctl([name, "--help"]).stdout;
    const usage = /USAGE (.*)/.exec(help)?.[1]?.replace(" [OPTIONS]", "") ?? "";
    const details = [...section(help, "ARGUMENTS"), ...section(help, "OPTIONS")].map((line) =>
      line.trim().split(/ {4,}/),
    );
    return [[code(usage), about], ...details.map(([flag = "", does = ""]) => [code(flag), does])];
  });
}

function section(help: string, title: string): readonly string[] {
  const text = new RegExp(`^${title}\n\n([^]*?)(?:\n\n|$(?![^]))`, "m").exec(help)?.[1] ?? "";
  return text.split("\n").filter((line) => line.trim() !== "");
}

function flatten(schema: object, prefix: string): Rows {
  return Object.entries(member(schema, "properties")).flatMap(([key, node]) => {
    if (typeof node !== "object" || node === null) return [];
    const variants: unknown = Reflect.get(node, "anyOf");
    const map = [node, ...(Array.isArray(variants) ? variants : [])].find((each) => Reflect.has(each, "properties"));
    if (map !== undefined) return flatten(map, `${prefix}${key}.`);
    const fallback: unknown = Reflect.get(node, "default");
    return [
      [
        code(prefix + key),
        fallback === undefined ? "" : code(typeof fallback === "string" ? fallback : JSON.stringify(fallback)),
        String(Reflect.get(node, "description")),
      ],
    ];
  });
}

function member(value: object, key: string): object {
  const inner: unknown = Reflect.get(value, key);
  if (typeof inner !== "object" || inner === null) throw new Error(`the schema has no ${key}`);
  return inner;
}

function code(text: string): string {
  return `\`${text}\``;
}
