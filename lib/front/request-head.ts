// The head of a client's HTTP/1.1 request: its line, its headers and its framing; any doubt is a violation.

import { type Framing, type HeadGrammar, parseFields, readBodyFraming } from "../backend/http1-head.ts";
import { splitLines, type Violation } from "../backend/http1-lines.ts";

export interface RequestHead {
  readonly method: string;
  /** Without scheme, host and query; "*" for OPTIONS of the server itself. */
  readonly path: string;
  /** What follows the "?" of the target. */
  readonly query: string;
  /** Lower-case names; repeated fields joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly framing: Framing;
  /** The client keeps the connection open after this request. */
  readonly keepAlive: boolean;
  /** HTTP/1.0: no chunks in the answer. */
  readonly isOld: boolean;
  /** `continue`: it waits for "100 Continue" before it sends the body. */
  readonly expects: "nothing" | "continue" | "other";
}

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const absoluteForm = /^https?:\/\/([^/?#@]+)([/?].*)?$/i;
/** RFC 9110, section 7.2; no more is looked at here than whether it can be a host. */
const hostField = /^(?:[\w.~%!$&'()*+;=-]*|\[[\da-f:.]+\])(?::\d{0,5})?$/i;

export const requestGrammar: HeadGrammar<RequestHead> = {
  start: new Uint8Array(),
  // A method, or the empty line that some clients leave behind a body. TLS starts with neither.
  first: (byte) => (byte > 32 && byte < 127) || byte === 13 || byte === 10,
  notStarted: "it does not start with a method; HTTP is spoken here without TLS",
  parse: (block) => parseRequest(block),
};

function parseRequest(block: Uint8Array): RequestHead | "interim" | { readonly bad: Violation } {
  const lines = splitLines(block);
  // RFC 9112, section 2.2: an empty line before the request line is ignored.
  if (lines.length === 0) return "interim";
  const [, method = "", target = "", minor] = requestLine.exec(lines[0] ?? "") ?? [];
  if (method === "") return { bad: "it does not start with an HTTP/1.0 or HTTP/1.1 request line" };
  const place = placeOf(method, target);
  if (place === undefined) return { bad: "the target is neither a path nor a URL" };
  const headers = new Map<string, string>();
  const wrong = parseFields(lines, 1, headers);
  if (wrong !== undefined) return { bad: wrong };
  const isOld = minor === "0";
  const host = headers.get("host");
  // Repeated fields are joined with a comma, which no host holds.
  if (host === undefined ? !isOld : !hostField.test(host)) return { bad: "one Host header with a host is needed" };
  // RFC 9112, section 3.2.2: that of the target counts.
  if (place.host !== undefined) headers.set("host", place.host);
  const framing = readBodyFraming(headers, isOld);
  if ("bad" in framing) return framing;
  const options = (headers.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
  return {
    method,
    path: place.path,
    query: queryOf(target),
    headers,
    // Without a length and without chunks, a request has no body.
    framing: framing.kind === "untilClose" ? { kind: "none" } : framing,
    keepAlive: !options.includes("close") && (!isOld || options.includes("keep-alive")),
    isOld,
    expects: isOld ? "nothing" : expectation(headers.get("expect")),
  };
}

interface Place {
  readonly path: string;
  /** Where the target names one. */
  readonly host?: string;
}

/** Where the target of a request is; undefined for what is no place here. */
function placeOf(method: string, target: string): Place | undefined {
  if (target.startsWith("/")) return { path: cut(target, "?") };
  if (target === "*") return method === "OPTIONS" ? { path: target } : undefined;
  const [, host, rest = "/"] = absoluteForm.exec(target) ?? [];
  if (host === undefined || !hostField.test(host)) return undefined;
  return { path: rest.startsWith("/") ? cut(rest, "?") : "/", host };
}

function cut(text: string, mark: string): string {
  const end = text.indexOf(mark);
  return end < 0 ? text : text.slice(0, end);
}

function queryOf(target: string): string {
  const start = target.indexOf("?");
  return start < 0 ? "" : cut(target.slice(start + 1), "#");
}

function expectation(value: string | undefined): RequestHead["expects"] {
  if (value === undefined) return "nothing";
  return value.toLowerCase() === "100-continue" ? "continue" : "other";
}
