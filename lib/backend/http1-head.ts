// The head of an HTTP/1.1 response: from its lines to status, headers, framing and whether the connection may live on.
import { splitLines, type Violation } from "./http1-lines.ts";

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// HTAB, SP, VCHAR and obs-text: what is left out (CR, LF, NUL, DEL, other controls) is how responses are smuggled.
const fieldContent = /^[\t\x20-\x7e\x80-\xff]*$/;
const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const digits = /^\d{1,16}$/;

/** How the end of a body is known. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "untilClose" };

export interface ResponseHead {
  readonly status: number;
  /** Lower-case names; repeated fields joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly framing: Framing;
  /** The server keeps the connection open after this response. */
  readonly keepAlive: boolean;
  /** How long the server says that it keeps an idle connection, ms; undefined where it does not say. */
  readonly idleMs: number | undefined;
}

const BAD_STATUS_LINE: Violation = "it does not start with an HTTP/1.0 or HTTP/1.1 status line";

/** What differs between requests and responses: their heads. */
export interface HeadGrammar<Head> {
  /** What every head starts with; a peer of another protocol, which may wait for us, is found out by its first bytes. */
  readonly start: Uint8Array;
  /** Whether a head can start with this byte, where there is no more to say of its start. */
  readonly first?: (byte: number) => boolean;
  /** What to say of a head that starts otherwise. */
  readonly notStarted: Violation;
  /** The head in `block` (with its empty line); "interim" where another one follows it. */
  parse(block: Uint8Array): Head | "interim" | { readonly bad: Violation };
}

/** Of responses; `bodyless`: of those to HEAD and CONNECT, whatever their headers announce. */
export function responseGrammar(bodyless: boolean): HeadGrammar<ResponseHead> {
  return {
    start: Buffer.from("HTTP/1."),
    notStarted: BAD_STATUS_LINE,
    parse: (block) => parseResponse(block, bodyless),
  };
}

function parseResponse(block: Uint8Array, bodyless: boolean): ResponseHead | "interim" | { readonly bad: Violation } {
  const head = parseHead(block, bodyless);
  if ("bad" in head || head.status >= 200) return head;
  if (head.status === 101) return { bad: "101 Switching Protocols, which nobody asked for" };
  const announced = head.headers.has("transfer-encoding") || Number(head.headers.get("content-length") ?? 0) > 0;
  return announced ? { bad: "an interim response that announces a body" } : "interim";
}

/** The complete head in `bytes`, with its empty line. */
function parseHead(bytes: Uint8Array, bodyless: boolean): ResponseHead | { readonly bad: Violation } {
  const lines = splitLines(bytes);
  const first = statusLine.exec(lines[0] ?? "");
  if (first === null) return { bad: BAD_STATUS_LINE };
  const status = Number(first[2]);
  const headers = new Map<string, string>();
  const wrong = parseFields(lines, 1, headers);
  if (wrong !== undefined) return { bad: wrong };
  const minor = first[1] === "1" ? 1 : 0;
  const framing = readFraming(status, minor, headers, bodyless);
  if ("bad" in framing) return framing;
  const keepAlive = mayLiveOn(status, minor, headers, framing);
  return { status, headers, framing, keepAlive, idleMs: keepAliveTimeoutMs(headers) };
}

/** Reads field lines from `lines[from]` on into `into`; returns what is wrong, if anything is. */
export function parseFields(lines: readonly string[], from: number, into: Map<string, string>): Violation | undefined {
  for (let index = from; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const colon = line.indexOf(":");
    // A space or tab at the start is an obsolete folded line, one before the colon a known way to hide a header.
    if (colon < 1 || !token.test(line.slice(0, colon))) return "a header line does not start with a name and a colon";
    const value = trimBlanks(line.slice(colon + 1));
    if (!fieldContent.test(value)) return "a header value holds a control character";
    const name = line.slice(0, colon).toLowerCase();
    const before = into.get(name);
    if (before !== undefined && name === "content-length") {
      if (before !== value) return "two different Content-Length headers";
      continue;
    }
    into.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return undefined;
}

function readFraming(
  status: number,
  minor: 0 | 1,
  headers: ReadonlyMap<string, string>,
  bodyless: boolean,
): Framing | { readonly bad: Violation } {
  const framing = readBodyFraming(headers, minor === 0);
  if ("bad" in framing) return framing;
  return bodyless || status < 200 || status === 204 || status === 304 ? { kind: "none" } : framing;
}

/** How the end of the body of a message with these headers is known; both ways at once, or an unclear one, is a violation. */
export function readBodyFraming(
  headers: ReadonlyMap<string, string>,
  isOld: boolean,
): Framing | { readonly bad: Violation } {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (length !== undefined && coding !== undefined) return { bad: "both Content-Length and Transfer-Encoding" };
  if (length !== undefined && !(digits.test(length) && Number.isSafeInteger(Number(length)))) {
    return { bad: "Content-Length is not a number" };
  }
  if (coding !== undefined && coding.toLowerCase() !== "chunked") {
    return { bad: "a Transfer-Encoding other than chunked" };
  }
  if (coding !== undefined && isOld) return { bad: "Transfer-Encoding in an HTTP/1.0 message" };
  if (coding !== undefined) return { kind: "chunked" };
  if (length !== undefined) return { kind: "length", length: Number(length) };
  return { kind: "untilClose" };
}

function mayLiveOn(status: number, minor: 0 | 1, headers: ReadonlyMap<string, string>, framing: Framing): boolean {
  if (framing.kind === "untilClose") return false;
  // A body that must not be there but is announced could come late, and would be read as the next response.
  const announced = headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
  if (status === 204 && announced) return false;
  const options = (headers.get("connection") ?? "").toLowerCase().split(",").map(trimBlanks);
  if (options.includes("close")) return false;
  return minor === 1 || options.includes("keep-alive");
}

function keepAliveTimeoutMs(headers: ReadonlyMap<string, string>): number | undefined {
  const found = /(?:^|[,\s])timeout\s*=\s*"?(\d{1,9})/i.exec(headers.get("keep-alive") ?? "");
  return found === null ? undefined : Number(found[1]) * 1000;
}

// Not String.trim: it also drops characters that a header value may not hold, and so would hide them.
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === " " || text[start] === "\t")) start++;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}
