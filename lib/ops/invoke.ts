// Finds one tool or prompt of a server, and reads what a call of it brings back.

import { nearest } from "../config/problems.ts";
import { GatewayError } from "../core/errors.ts";
import { asRecord, isRecord } from "../core/text.ts";
import { spanBytes } from "../core/envelope.ts";
import { decodeText } from "../core/text.ts";
import { type ItemKind, type Shortfall, shortfallsOf, walkPages } from "./pages.ts";
import { answerError, type Answer, type Patience, type Peer } from "./peer.ts";

/** The item as the server lists it; a `GatewayError` "unknownItem" that names what there is, where it is not listed. */
export async function findItem(
  peer: Peer,
  kind: ItemKind,
  name: string | undefined,
  patience: Patience,
): Promise<Readonly<Record<string, unknown>>> {
  const names: string[] = [];
  const missing = new Map<string, Shortfall>();
  for await (const page of walkPages(peer, { kind }, patience)) {
    const { items } = page;
    const found = items.find(({ key }) => key === name);
    for (const each of found ? [] : shortfallsOf(page)) missing.set(each.backend, each);
    if (found) return asRecord(JSON.parse(found.text));
    names.push(...items.map(({ key }) => key));
  }
  const owners = [...missing.values()].filter(({ backend }) => name?.startsWith(backend));
  const [owner] = owners.toSorted((a, b) => b.backend.length - a.backend.length);
  if (owner)
    throw new GatewayError("unavailable", `${name} is not listed, as ${owner.code} ${owner.message}`, {
      backend: peer.name,
    });
  const one = kind.replace(/s$/, "");
  const near = name === undefined ? undefined : nearest(name, names);
  const lacks = missing.size === 0 ? "" : `; backends that are missing: ${[...missing.keys()].slice(0, 30).join(", ")}`;
  const there = `${names.length === 0 ? `it has no ${kind}` : `there are ${names.slice(0, 30).join(", ")}`}${lacks}`;
  const what =
    name === undefined ? `no ${one} of ${peer.name} is named` : `${peer.name} has no ${one} ${JSON.stringify(name)}`;
  throw new GatewayError("unknownItem", `${what}; ${near === undefined ? there : `did you mean ${near}?`}`);
}

/** The result of an answer; the server's own error is thrown as `refused`. */
export function resultOf(
  answer: Answer,
  peer: Peer,
  method: string,
): { readonly text: string; readonly value: unknown } {
  const error = answerError(answer);
  if (error) {
    const text = `answered ${method} with error ${error.code}: ${error.message}`;
    throw new GatewayError("refused", text, { backend: peer.name });
  }
  const text = decodeText(spanBytes(answer.envelope, "result") ?? new Uint8Array());
  return { text, value: text === "" ? undefined : JSON.parse(text) };
}

/** One part of a result, as people and files take it. */
export type Part =
  | { readonly kind: "text"; readonly text: string; readonly lead: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array; readonly mimeType: string; readonly name: string }
  | { readonly kind: "link"; readonly uri: string; readonly name: string };

/** The parts of a result of tools/call, prompts/get or resources/read, in their order. */
export function partsOf(result: unknown): readonly Part[] {
  const { content, messages, contents, structuredContent } = asRecord(result);
  const parts: Part[] = [];
  if (Array.isArray(content)) for (const block of content) parts.push(...blockParts(block, ""));
  if (Array.isArray(contents)) for (const each of contents) parts.push(...resourceParts(each, ""));
  if (Array.isArray(messages)) {
    for (const message of messages) {
      const { role, content: inner } = asRecord(message);
      for (const block of Array.isArray(inner) ? inner : [inner]) parts.push(...blockParts(block, `${String(role)}: `));
    }
  }
  if (structuredContent !== undefined && parts.length === 0)
    parts.push({ kind: "text", text: JSON.stringify(structuredContent, undefined, 2), lead: "" });
  return parts;
}

function blockParts(block: unknown, lead: string): readonly Part[] {
  const { type, text, data, mimeType, uri, name, resource } = asRecord(block);
  if (type === "text" && typeof text === "string") return [{ kind: "text", text, lead }];
  if (typeof data === "string") return [binary(data, mimeType, String(type))];
  if (type === "resource_link") return [{ kind: "link", uri: String(uri), name: typeof name === "string" ? name : "" }];
  if (isRecord(resource)) return resourceParts(resource, lead);
  return block === undefined ? [] : [{ kind: "text", text: JSON.stringify(block), lead }];
}

function resourceParts(resource: unknown, lead: string): readonly Part[] {
  const { uri, text, blob, mimeType } = asRecord(resource);
  const name = String(uri).split("/").at(-1) || "resource";
  if (typeof blob === "string") return [binary(blob, mimeType, name)];
  return typeof text === "string" ? [{ kind: "text", text, lead }] : [];
}

function binary(data: string, mimeType: unknown, name: string): Part {
  const type = typeof mimeType === "string" ? mimeType : "application/octet-stream";
  return { kind: "binary", bytes: Buffer.from(data, "base64"), mimeType: type, name };
}
