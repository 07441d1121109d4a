// One message of a running gateway, as people are shown it.

import { asRecord } from "../core/text.ts";

export interface Sight {
  /** Local time of day. */
  readonly time: string;
  readonly from: "client" | "gateway";
  readonly method: string;
  readonly name: string;
  readonly id: string;
  readonly ms: number | undefined;
  /** `ok`, `error` where a tool says that it failed, `failed` for an error of the protocol; empty for what is no answer. */
  readonly outcome: string;
  /** What is in it, on one line. */
  readonly detail: string;
}

export function sightOf(line: Readonly<Record<string, unknown>>): Sight {
  const text = (key: string): string => (typeof line[key] === "string" ? line[key] : "");
  const at = new Date(text("at"));
  const { ms } = line;
  return {
    time: `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, "0")}`,
    from: line["from"] === "client" ? "client" : "gateway",
    method: text("method") || text("type"),
    name: text("name"),
    id: text("id"),
    ms: typeof ms === "number" ? ms : undefined,
    outcome: text("outcome"),
    detail: text("text") || detailOf(asRecord(line["message"])),
  };
}

function detailOf({ params, result, error }: Readonly<Record<string, unknown>>): string {
  if (error !== undefined) {
    const { code, message } = asRecord(error);
    return `${String(code)} ${String(message)}`;
  }
  if (result !== undefined) return resultDetail(asRecord(result));
  const { _meta, name: _name, uri: _uri, arguments: args, ...rest } = asRecord(params);
  const shown = args ?? rest;
  return Object.keys(asRecord(shown)).length === 0 ? "" : JSON.stringify(shown);
}

/** The text of content, else all of it. */
function resultDetail({ _meta, resultType: _type, content, ...rest }: Readonly<Record<string, unknown>>): string {
  if (!Array.isArray(content)) return Object.keys(rest).length === 0 ? "" : JSON.stringify(rest);
  return content
    .map((block: unknown) => {
      const { type, text } = asRecord(block);
      return typeof text === "string" ? text : `[${String(type)}]`;
    })
    .join(" ");
}
