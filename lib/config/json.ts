// JSON text to a tree. Comments and trailing commas are accepted in every .json file: people write them there.

import { type ValueNode, parse } from "@humanwhocodes/momoa";
import { type Problem, type Source, problemAt } from "./problems.ts";
import { type Node, type View, buildTree } from "./tree.ts";

/** The tree of a JSON, JSONC or JSON5 text. The parser stops at the first syntax error. */
export function parseJson(
  source: Source,
  mode: "jsonc" | "json5",
): { root: Node | undefined; problems: readonly Problem[] } {
  try {
    return buildTree(parse(source.text, { mode, allowTrailingCommas: true }).body, view, source);
  } catch (error) {
    return { root: undefined, problems: [toProblem(error, source, mode)] };
  }
}

function view(node: ValueNode): View<ValueNode> {
  const { offset } = node.loc.start;
  switch (node.type) {
    case "Object": {
      const pairs = node.members.map(({ name, value }) => ({
        key: name.type === "Identifier" ? name.name : name.value,
        offset: name.loc.start.offset,
        value,
      }));
      return { kind: "map", pairs, offset };
    }
    case "Array":
      return { kind: "list", items: node.elements.map((element) => element.value), offset };
    case "String":
    case "Number":
    case "Boolean":
      return { kind: "scalar", value: node.value, offset, end: node.loc.end.offset };
    case "Null":
    case "NaN":
    case "Infinity":
      return { kind: "scalar", value: node.type === "Null" ? null : Number.NaN, offset, end: node.loc.end.offset };
  }
}

function toProblem(error: unknown, source: Source, mode: string): Problem {
  const offset = offsetOf(error);
  if (offset === undefined) return problemAt("tooMuch", { source, offset: 0 }, [], "the file is nested too deeply");
  // Only a message about a kind of token is repeated: the others quote the text, which may be a secret.
  const message = error instanceof Error ? error.message : "";
  const token = /^Unexpected token (\w+) found/.exec(message)?.[1];
  const ended = message.startsWith("Unexpected end of input");
  const what = token ? `unexpected ${words[token] ?? "text"}` : ended ? "the file ends too early" : "unexpected text";
  // The parser gives the start of the file where it misses something at its end.
  const place = { source, offset: ended ? source.text.trimEnd().length : offset };
  return problemAt("syntax", place, [], `${mode === "json5" ? "JSON5" : "JSON"}: ${what}`);
}

const words: Readonly<Record<string, string>> = {
  Comma: "comma",
  Colon: "colon",
  LBrace: "{",
  RBrace: "}",
  LBracket: "[",
  RBracket: "]",
  String: "string; is a comma missing before it?",
  Number: "number; is a comma missing before it?",
  Boolean: "true or false; is a comma missing before it?",
  Null: "null; is a comma missing before it?",
};

function offsetOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("offset" in error)) return undefined;
  return typeof error.offset === "number" ? error.offset : undefined;
}
