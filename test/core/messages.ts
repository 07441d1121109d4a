// Arbitrary JSON texts and JSON-RPC messages, written in every way that JSON allows, and a plain reading of them.
import fc from "fast-check";

const encoder = new TextEncoder();
export const encode = (text: string): Uint8Array => encoder.encode(text);

/** Run counts are fixed so that a failure here is a failure everywhere. */
export const runs = (numRuns: number): { numRuns: number; seed: number } => ({ numRuns, seed: 20251125 });

const blank = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 3 }) },
);

const character = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).map((c) => JSON.stringify(c).slice(1, -1)),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("\\n", '\\"', "\\\\", "\\/", "\\u0041", "\\uD800", "\\udc00", "\\ud83d\\ude00"),
  },
  { weight: 1, arbitrary: fc.nat(60).map((length) => "plain text, ".repeat(6).slice(0, length)) },
);

/** A JSON string, as text. */
export const stringText: fc.Arbitrary<string> = fc
  .array(character, { maxLength: 8 })
  .map((parts) => `"${parts.join("")}"`);

const numberText = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom(
    "0",
    "-0",
    "1e999",
    "-1E+999",
    "1e-999",
    "9007199254740993",
    "123456789012345678901234567890.5",
    "0.0e0",
  ),
);

/** `text` as a JSON string, with some of its characters written as escapes. */
function spelled(text: string): fc.Arbitrary<string> {
  const escaped = fc.integer().map((bits) => {
    const spell = (c: string, index: number): string =>
      (bits >> (index % 31)) & 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}` : c;
    return `"${text.split("").map(spell).join("")}"`;
  });
  return fc.oneof({ weight: 4, arbitrary: fc.constant(JSON.stringify(text)) }, { weight: 1, arbitrary: escaped });
}

const spaced = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(blank, value, blank).map((parts) => parts.join(""));

type Member = readonly [key: string, value: fc.Arbitrary<string>];

const memberText = ([key, value]: Member): fc.Arbitrary<string> =>
  fc.tuple(spaced(spelled(key)), spaced(value)).map(([left, right]) => `${left}:${right}`);

/** An object that has all of `members`, some of `others`, in any order, keys repeated. */
export function objectText(members: readonly Member[], others: readonly Member[]): fc.Arbitrary<string> {
  const needed = members.map(memberText);
  const extra = fc.array(
    fc.oneof(
      ...[...others, ...members].map(memberText),
      fc.tuple(spaced(stringText), value).map((pair) => pair.join(":")),
    ),
    { maxLength: 4 },
  );
  return fc
    .tuple(fc.tuple(...needed), extra, fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), blank)
    .map(([must, may, order, space]) => {
      const all = [...must, ...may].map((text, index) => ({ text, rank: order[index % 12] ?? 0 }));
      const texts = all.toSorted((left, right) => left.rank - right.rank).map(({ text }) => text);
      return texts.length === 0 ? `{${space}}` : `{${texts.join(",")}}`;
    });
}

/** Any JSON value, as text. */
export const value: fc.Arbitrary<string> = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom("null", "true", "false"),
    numberText,
    stringText,
    tie("array"),
    tie("object"),
  ),
  array: fc
    .tuple(blank, fc.array(spaced(tie("value")), { maxLength: 4 }))
    .map(([space, items]) => `[${items.join(",") || space}]`),
  object: fc
    .tuple(
      blank,
      fc.array(fc.tuple(spaced(fc.oneof(stringText, fc.constant('"__proto__"'))), spaced(tie("value"))), {
        maxLength: 4,
      }),
    )
    .map(([space, members]) => `{${members.map((pair) => pair.join(":")).join(",") || space}}`),
})).value;

const names = (...keys: readonly string[]): Member[] => keys.map((key) => [key, value] as const);
const meta = objectText([], names("progressToken", "__proto__"));
const reference = objectText([], [["type", stringText], ...names("name", "uri")]);
const task = objectText([], names("taskId"));
const params = objectText(
  [],
  [
    ["_meta", meta],
    ["ref", reference],
    ["task", task],
    ...names(
      "name",
      "uri",
      "cursor",
      "level",
      "requestId",
      "progressToken",
      "taskId",
      "elicitationId",
      "mode",
      "_meta",
      "ref",
    ),
  ],
);
const result = objectText([], [["_meta", meta], ["task", task], ...names("task", "taskId", "params")]);
const failure = objectText(
  [["code", numberText]],
  [
    ["message", stringText],
    ["data", value],
  ],
);
const id = fc.oneof(numberText, stringText);
const version: Member = ["jsonrpc", spelled("2.0")];
const method: Member = ["method", fc.oneof(spelled("tools/call"), stringText)];
const unknown = names("x", "__proto__", "Id", "iD", "metho", "methods");

/** JSON texts most of which are JSON-RPC messages, and the others nearly so. */
export const message: fc.Arbitrary<string> = spaced(
  fc.oneof(
    { weight: 4, arbitrary: objectText([version, ["id", id], method, ["params", params]], unknown) },
    { weight: 2, arbitrary: objectText([version, method], [["params", params], ...unknown]) },
    { weight: 3, arbitrary: objectText([version, ["id", id], ["result", result]], unknown) },
    {
      weight: 2,
      arbitrary: objectText([version, ["error", failure]], [["id", fc.oneof(id, fc.constant("null"))], ...unknown]),
    },
    { weight: 1, arbitrary: objectText([version], names("id", "method", "params", "result", "error", "jsonrpc")) },
    { weight: 1, arbitrary: value },
  ),
);

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a path of keys; undefined where there is none. */
export function lookUp(root: unknown, path: readonly string[]): unknown {
  let at = root;
  for (const key of path) {
    if (!isObject(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

/** What a message is by the rules of JSON-RPC 2.0 and MCP, read from its value. */
export function readKind(message: unknown): "request" | "notification" | "response" | "shape" {
  if (!isObject(message)) return "shape";
  const has = (key: string): boolean => Object.hasOwn(message, key);
  const id = has("id") ? message["id"] : undefined;
  const named = typeof id === "string" || typeof id === "number";
  if (!has("jsonrpc") || message["jsonrpc"] !== "2.0") return "shape";
  if (has("params") && !isObject(message["params"])) return "shape";
  const parts = ["method", "result", "error"].filter(has);
  if (parts.length !== 1) return "shape";
  if (has("method")) {
    if (typeof message["method"] !== "string") return "shape";
    if (!has("id")) return "notification";
    return named ? "request" : "shape";
  }
  if (has("result")) return named && isObject(message["result"]) ? "response" : "shape";
  const code = lookUp(message, ["error", "code"]);
  return typeof code === "number" && (named || !has("id") || id === null) ? "response" : "shape";
}
