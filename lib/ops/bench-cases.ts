// What a run calls: one request, or a file of cases with weights; whether that may change something is asked before.

import { GatewayError } from "../core/errors.ts";
import { asRecord, isRecord } from "../core/text.ts";
import type { Template } from "./bench-template.ts";
import { compileRequest } from "./bench-template.ts";
import type { Patience, Peer } from "./peer.ts";
import { walkPages } from "./pages.ts";

export interface BenchCase {
  /** For people: the tool, or the method. */
  readonly label: string;
  /** Set where it calls a tool. */
  readonly tool: string | undefined;
  readonly template: Template;
  readonly weight: number;
}

export interface CaseSpec {
  readonly method?: string | undefined;
  readonly tool?: string | undefined;
  readonly prompt?: string | undefined;
  readonly resource?: string | undefined;
  readonly arguments?: unknown;
  readonly params?: unknown;
  readonly weight?: unknown;
}

const nonceKey = "mcpctl/nonce";

/** Compiles a case; with `nonces`, each request carries one in its metadata. */
export function compileCase(spec: CaseSpec, nonces = false): BenchCase {
  const { tool, prompt, resource, weight = 1 } = spec;
  if ([tool, prompt, resource, spec.method].filter((each) => each !== undefined).length > 1)
    throw new GatewayError("usage", "a case has one of tool, prompt, resource and method");
  if (typeof weight !== "number" || !Number.isInteger(weight) || weight < 1 || weight > 1000)
    throw new GatewayError(
      "usage",
      `the weight of a case is a whole number from 1 to 1000, not ${JSON.stringify(weight)}`,
    );
  const given = spec.arguments === undefined ? {} : { arguments: spec.arguments };
  const [method, params, label]: readonly [string, unknown, string] =
    tool !== undefined
      ? ["tools/call", { name: tool, arguments: {}, ...given }, tool]
      : prompt !== undefined
        ? ["prompts/get", { name: prompt, ...given }, prompt]
        : resource !== undefined
          ? ["resources/read", { uri: resource }, resource]
          : [spec.method ?? "ping", spec.params, spec.method ?? "ping"];
  if (params !== undefined && !isRecord(params)) throw new GatewayError("usage", "params must be a JSON object");
  const meta = nonces ? { ...params, _meta: { ...asRecord(params?.["_meta"]), [nonceKey]: "{{nonce}}" } } : params;
  const called = method === "tools/call" ? (tool ?? textOf(asRecord(params)["name"])) : undefined;
  return { label, tool: called, template: compileRequest(method, meta), weight };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Cases of a file: a JSON array, or one JSON object a line. */
export function readCases(text: string, file: string): readonly CaseSpec[] {
  const parse = (part: string, where: string): unknown => {
    try {
      return JSON.parse(part);
    } catch (error) {
      throw new GatewayError("usage", `${where} is no JSON`, { cause: error });
    }
  };
  const values: unknown = /^\s*\[/.test(text)
    ? parse(text, file)
    : text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [parse(line, `${file}:${index + 1}`)]));
  if (!Array.isArray(values) || values.length === 0) throw new GatewayError("usage", `${file} has no cases`);
  return values.map((value: unknown, index) => {
    if (!isRecord(value)) throw new GatewayError("usage", `case ${index + 1} of ${file} is no JSON object`);
    const { method, tool, prompt, resource, params, weight } = value;
    const text = (each: unknown): string | undefined => (typeof each === "string" ? each : undefined);
    const given = value["arguments"];
    return {
      method: text(method),
      tool: text(tool),
      prompt: text(prompt),
      resource: text(resource),
      arguments: given,
      params,
      weight,
    };
  });
}

/** The case of each call by its number: every case as often as its weight says, spread evenly. */
export function caseOrder(cases: readonly BenchCase[]): (seq: number) => BenchCase | undefined {
  const order = cases
    .flatMap((each, index) =>
      Array.from({ length: each.weight }, (_, at) => ({ each, at: (at + 0.5) / each.weight, index })),
    )
    .toSorted((a, b) => a.at - b.at || a.index - b.index)
    .map(({ each }) => each);
  return (seq) => order[seq % order.length];
}

/** Throws where a case calls a tool that there is none of, or one that does not declare itself read-only. */
export async function checkTools(
  peer: Peer,
  cases: readonly BenchCase[],
  allowsWrites: boolean,
  patience: Patience,
): Promise<void> {
  const wanted = new Set(cases.flatMap(({ tool }) => tool ?? []));
  if (wanted.size === 0) return;
  const found = new Map<string, unknown>();
  for await (const { items } of walkPages(peer, { kind: "tools" }, patience)) {
    for (const { key, text } of items) if (wanted.has(key)) found.set(key, JSON.parse(text));
    if (found.size === wanted.size) break;
  }
  for (const name of wanted) {
    if (!found.has(name))
      throw new GatewayError("unknownItem", `${peer.name} has no tool ${JSON.stringify(name)}`, {
        backend: peer.name,
      });
    const hints = asRecord(asRecord(found.get(name))["annotations"]);
    if (hints["readOnlyHint"] === true || allowsWrites) continue;
    const text = `the tool ${JSON.stringify(name)} of ${peer.name} does not say that it only reads, and would be called many times`;
    throw new GatewayError("writesRefused", text, { backend: peer.name });
  }
}
