// mcpctl's own bench commands as the cases run them, and the documents that they print.
import type { Field } from "./field.ts";

/** A document, read by the path of a figure. */
export interface Document {
  number(...path: readonly string[]): number;
  text(...path: readonly string[]): string;
  flag(...path: readonly string[]): boolean;
  list(...path: readonly string[]): readonly Document[];
}

/** Runs `mcpctl bench … -o json`; throws where it printed no document, whatever its exit code is. */
export async function runBenchCommand(field: Field, args: readonly string[]): Promise<Document> {
  const printed = await field.stage.run(field.binary, ["bench", ...args, "-o", "json"]);
  const parsed: unknown = JSON.parse(printed);
  return documentOf(parsed);
}

function documentOf(value: unknown): Document {
  return {
    number: (...path) => {
      const found = at(value, path);
      return typeof found === "number" ? found : Number.NaN;
    },
    text: (...path) => {
      const found = at(value, path);
      return typeof found === "string" ? found : "";
    },
    flag: (...path) => at(value, path) === true,
    list: (...path) => {
      const found = at(value, path);
      return Array.isArray(found) ? found.map(documentOf) : [];
    },
  };
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inside, key) =>
      typeof inside === "object" && inside !== null ? new Map(Object.entries(inside)).get(key) : undefined,
    value,
  );
}

/** Starts `mcpctl bench fixture` at a free port and gives its address. */
export async function startFixture(field: Field, name: string, flags: readonly string[]): Promise<string> {
  const program = field.stage.open(name, field.binary, ["bench", "fixture", "--port", "0", "--name", name, ...flags]);
  return (await program.line()).replace("listening ", "");
}
