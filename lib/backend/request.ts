// The bytes of an HTTP/1.1 request, with everything that could change its framing refused.
import { GatewayError } from "../core/errors.ts";

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

/** The head of the request, up to and including the empty line. */
export function encodeHead(request: HttpRequest, authority: string): Uint8Array {
  if (!originForm.test(request.path)) throw refuse("the path is not in origin form");
  let text = `${request.method} ${request.path} HTTP/1.1\r\nhost: ${authority}\r\n`;
  for (const [name, value] of request.headers) {
    if (!token.test(name)) throw refuse("a header name holds characters that it may not");
    if (reserved.has(name.toLowerCase())) throw refuse(`the header ${name} is set by the connection`);
    if (!fieldContent.test(value)) throw refuse(`the value of the header ${name} holds characters that it may not`);
    text += `${name}: ${value}\r\n`;
  }
  const length = request.body?.length ?? (request.method === "POST" ? 0 : undefined);
  if (length !== undefined) text += `content-length: ${length}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
}

// No values in the message: they may be credentials.
function refuse(what: string): GatewayError {
  return new GatewayError("internal", `an HTTP request to a backend cannot be sent: ${what}`, {
    data: { sent: false },
  });
}
