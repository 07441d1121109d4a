// What the audit log says of the arguments of calls: nothing, a hash, or all but secrets, as the first rule that fits has it.

import { createHash, createHmac, hkdfSync } from "node:crypto";
import type { AuditArgumentsPlan } from "./config/auth.ts";
import type { AuditMode, AuditRuleConfig } from "./config/rules-auth.ts";
import { hasDoubledKeys } from "./core/doubled.ts";
import type { ArgumentKeeper, Flight, Kept } from "./core/flight.ts";
import { matcherOf } from "./core/glob.ts";
import { secretName, secretShape } from "./core/secrets.ts";
import { decodeText } from "./core/text.ts";
import { findField } from "./protocol/fields.ts";

/** Larger ones are written as their hash and their size. */
const maxFullBytes = 16 * 1024;
const mark = "***";
const salt = "mcpctl";
const info = "audit arguments v1";
const keyBytes = 32;

type Kind = "tools" | "prompts";

interface Rule {
  readonly mode: AuditMode;
  readonly isMasked: (pointer: string) => boolean;
  readonly fits: (kind: Kind, backend: string, local: string) => boolean;
}

const noMask: Rule["isMasked"] = () => false;

export class AuditArguments implements ArgumentKeeper {
  readonly #rules: readonly Rule[];
  readonly #otherwise: Rule;
  readonly #hash: (bytes: Uint8Array) => string;

  /** `sealKey`: whoever does not have it cannot find arguments by trying. */
  constructor({ otherwise, rules }: AuditArgumentsPlan, sealKey: string | undefined) {
    this.#rules = rules.map(compileRule);
    this.#otherwise = { mode: otherwise, isMasked: noMask, fits: () => true };
    this.#hash = hasherOf(sealKey);
  }

  wantsTool(backend: string, local: string): boolean {
    return this.#ruleOf("tools", backend, local).mode !== "off";
  }

  /** Members of the line of a call, each behind its comma. */
  membersOf({ method, name }: Flight, { request, backend, local }: Kept): string {
    // What is unknown to all backends is there by the name that its client gave.
    const { mode, isMasked } = this.#ruleOf(method === "tools/call" ? "tools" : "prompts", backend, local || name);
    const { params } = request.spans;
    const at = mode === "off" || !params ? undefined : findField(request.bytes, params, "arguments");
    if (!at) return "";
    const bytes = request.bytes.subarray(at.start, at.end);
    const hashed = `,"argumentsHash":"${this.#hash(bytes)}"`;
    if (mode === "hashed") return hashed;
    const text = bytes.length > maxFullBytes ? undefined : decodeText(bytes);
    // Of a member that is there twice, only one would be seen here, and perhaps not the one that counts at the backend.
    if (text === undefined || hasDoubledKeys(text)) return `${hashed},"argumentsBytes":${bytes.length}`;
    return `,"arguments":${JSON.stringify(masked(JSON.parse(text), "", isMasked))}`;
  }

  #ruleOf(kind: Kind, backend: string, local: string): Rule {
    return this.#rules.find(({ fits }) => fits(kind, backend, local)) ?? this.#otherwise;
  }
}

function compileRule({ backends, tools, prompts, arguments: mode, mask = [] }: AuditRuleConfig): Rule {
  const isBackend = backends && matcherOf(backends);
  const isOpen = !tools && !prompts;
  const isName = { tools: tools && matcherOf(tools), prompts: prompts && matcherOf(prompts) };
  const pointers = new Set(mask);
  return {
    mode,
    isMasked: mask.length === 0 ? noMask : (pointer) => pointers.has(pointer),
    fits: (kind, backend, local) => isBackend?.(backend) !== false && (isName[kind]?.(local) ?? isOpen),
  };
}

function hasherOf(sealKey: string | undefined): (bytes: Uint8Array) => string {
  if (sealKey === undefined) return (bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const key = Buffer.from(hkdfSync("sha256", sealKey, salt, info, keyBytes));
  return (bytes) => `hmac-sha256:${createHmac("sha256", key).update(bytes).digest("hex")}`;
}

/** The value without what is masked, and without what has the name or the look of a secret. */
function masked(value: unknown, pointer: string, isMasked: Rule["isMasked"]): unknown {
  if (isMasked(pointer)) return mark;
  if (typeof value === "string") return value.replace(secretShape, mark);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each, at) => masked(each, `${pointer}/${at}`, isMasked));
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => {
    if (secretName.test(name)) return [name, mark];
    const path = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return [name, masked(inner, path, isMasked)];
  });
  return Object.fromEntries(entries);
}
