// The bytes of an HTTP/1.1 request, with everything that could change its framing refused.
import { GatewayError } from "../core/errors.ts";
import { putNumber } from "../core/text.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Origin form: path and query. */
  readonly path: string;
  /** Without Host, Connection, and the headers of framing: those are set here. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldContent = /^[\t\x20-\x7e\x80-\xff]*$/;
const originForm = /^\/[\x21-\x7e]*$/;
/** Names whose values decide where a request ends, or what happens to the connection. */
const reserved: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);

/** Up to this size a head is put together with a small body. */
export const maxBeginBytes: number = 16 * 1024;
const roomBytes = 64 * 1024;

/** What is the same in the head of every request to one target. */
export interface RequestFrame {
  /** Before the path: empty, or scheme and authority where a proxy forwards the request (RFC 9112, section 3.2.2). */
  readonly prefix: string;
  /** The header lines that this side sets, each with its CRLF. */
  readonly fields: string;
}

/** `forward`: a proxy forwards the requests, and may want credentials. */
export function frameFor(
  authority: string,
  forward: { readonly authorization: string | undefined } | undefined,
): RequestFrame {
  const host = `host: ${authority}\r\n`;
  if (forward === undefined) return { prefix: "", fields: host };
  const { authorization } = forward;
  const credentials = authorization === undefined ? "" : `proxy-authorization: ${authorization}\r\n`;
  return { prefix: `http://${authority}`, fields: host + credentials };
}

/** The head of the request without its length and the empty line; see {@link encodeStart}. */
export function beginHead(request: HttpRequest, frame: RequestFrame): Uint8Array {
  if (!originForm.test(request.path)) throw refuse("the path is not in origin form");
  const text = `${request.method} ${frame.prefix}${request.path} HTTP/1.1\r\n${frame.fields}`;
  return Buffer.from(text + linesOf(request.headers), "latin1");
}

function linesOf(headers: HttpRequest["headers"]): string {
  let text = "";
  for (const [name, value] of headers) {
    if (!token.test(name)) throw refuse("a header name holds characters that it may not");
    if (reserved.has(name.toLowerCase())) throw refuse(`the header ${name} is set by the connection`);
    if (!fieldContent.test(value)) throw refuse(`the value of the header ${name} holds characters that it may not`);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/** "content-length: ", the digits of a length, CRLF, CRLF. */
const lengthField = Buffer.from("content-length: ");
const lineEnds = Buffer.from("\r\n\r\n");
const lineEnd = Buffer.from("\r\n");

/** The start of a request: the head that begins like this, and the first `bodyBytes` of its body. */
export function encodeStart(begin: Uint8Array, { method, body }: HttpRequest, bodyBytes: number): Uint8Array {
  const length = body?.length ?? (method === "POST" ? 0 : undefined);
  const digits = length === undefined ? "" : String(length);
  const field = length === undefined ? 0 : lengthField.length + digits.length + 2;
  const start = Buffer.allocUnsafe(begin.length + field + 2 + bodyBytes);
  start.set(begin);
  let at = begin.length;
  if (length !== undefined) {
    start.set(lengthField, at);
    at += lengthField.length;
    for (let index = 0; index < digits.length; index += 1) start[at++] = digits.charCodeAt(index);
    start.set(lineEnds, at);
    at += lineEnds.length;
  } else {
    start.set(lineEnd, at);
    at += lineEnd.length;
  }
  if (body && bodyBytes > 0) start.set(bodyBytes === body.length ? body : body.subarray(0, bodyBytes), at);
  return start;
}

/** Where requests with small bodies are put together, one after another; what they have in common stays. */
export class StartRoom {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(roomBytes);
  #begin: Uint8Array | undefined;
  #length = 0;

  /** Puts the head of a POST there, with `more` headers; returns where the body begins. */
  start(begin: Uint8Array, bodyBytes: number, more?: HttpRequest["headers"]): number {
    const { bytes } = this;
    if (this.#begin !== begin) {
      bytes.set(begin);
      bytes.set(lengthField, begin.length);
      this.#begin = begin;
      this.#length = begin.length + lengthField.length;
    }
    let at = putNumber(bodyBytes, bytes, this.#length);
    if (more) at += bytes.write(`\r\n${linesOf(more)}`, at, "latin1") - 2;
    bytes[at] = bytes[at + 2] = 0x0d;
    bytes[at + 1] = bytes[at + 3] = 0x0a;
    return at + 4;
  }
}

// No values in the message: they may be credentials.
function refuse(what: string): GatewayError {
  return new GatewayError("internal", `an HTTP request to a backend cannot be sent: ${what}`, {
    data: { sent: false },
  });
}
