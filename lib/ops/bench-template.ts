// Templates of arguments: JSON whose texts hold {{seq}} and the like, compiled once and filled in for every call.

import { randomUUID } from "node:crypto";
import { type Envelope, scan } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { encodeText } from "../core/text.ts";

/** What a template can say of its call. */
export interface CallFacts {
  /** From 0. */
  readonly seq: number;
  readonly nonce: string;
  readonly session: number;
}

type Part = string | ((facts: CallFacts) => string);

/** Makes the request of one call. */
export type Template = (facts: CallFacts) => Envelope;

/** Numbers stand without quotes where they are the whole text. */
const bare: ReadonlySet<string> = new Set(["seq", "session", "random"]);
const known = "{{seq}}, {{uuid}}, {{nonce}}, {{session}} and {{random A..B}}";

/** Compiles a request with its params; throws `usage` for a placeholder that there is none of. */
export function compileRequest(method: string, params: unknown): Template {
  const text = JSON.stringify({ jsonrpc: "2.0", id: 0, method, ...(params === undefined ? {} : { params }) });
  const parts = compile(text);
  if (parts.every((part) => typeof part === "string")) {
    const envelope = envelopeOf(parts.join(""));
    return () => envelope;
  }
  return (facts) => envelopeOf(parts.map((part) => (typeof part === "string" ? part : part(facts))).join(""));
}

function envelopeOf(text: string): Envelope {
  const scanned = scan(encodeText(text));
  if (scanned.kind === "message") return scanned.envelope;
  throw new GatewayError("usage", "the arguments do not make a message: params must be a JSON object");
}

function compile(json: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of json.matchAll(/("?)\{\{\s*(\w+)\s*([^{}"]*?)\s*\}\}("?)/g)) {
    const [whole, before = "", name = "", rest = "", behind = ""] = match;
    const value = placeholder(name, rest);
    const isBare = before !== "" && behind !== "" && bare.has(name);
    parts.push(json.slice(at, match.index), isBare ? "" : before, value, isBare ? "" : behind);
    at = match.index + whole.length;
  }
  parts.push(json.slice(at));
  return joinTexts(parts);
}

function joinTexts(parts: readonly Part[]): readonly Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (typeof part === "string" && typeof last === "string") joined[joined.length - 1] = last + part;
    else joined.push(part);
  }
  return joined;
}

function placeholder(name: string, rest: string): (facts: CallFacts) => string {
  switch (name) {
    case "seq":
      return ({ seq }) => String(seq);
    case "session":
      return ({ session }) => String(session);
    case "nonce":
      return ({ nonce }) => nonce;
    case "uuid":
      return () => randomUUID();
    case "random": {
      const [, from, to] = /^(-?\d{1,12})\.\.(-?\d{1,12})$/.exec(rest) ?? [];
      const low = Number(from);
      const high = Number(to);
      if (low <= high) return () => String(low + Math.floor(Math.random() * (high - low + 1)));
      break;
    }
  }
  throw new GatewayError(
    "usage",
    `{{${[name, rest].filter(Boolean).join(" ")}}} is no placeholder; there are ${known}`,
  );
}
