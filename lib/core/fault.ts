// What is wrong with a reply, in one word, without reading it as a whole where it is well.

import { type Envelope, scan, spanBytes } from "./envelope.ts";
import { find, latin1Of } from "./text.ts";

const errorKey = Buffer.from('"error"');
const isErrorKey = Buffer.from('"isError"');
/** Of larger replies only the beginning and the end are looked at: servers put what is looked for there. */
const maxBytes = 16 * 1024;
const edgeBytes = 512;
const colon = 0x3a;
const letterT = 0x74;

/** What a tool answers that has failed. */
const toolFault = "tool_error";

/** Empty for a result; the code of an error, `tool_error` for a tool that failed. */
export function faultOf(reply: Uint8Array): string {
  return hasKey(reply, errorKey) ? (errorOf(reply) ?? toolFaultOf(reply, 0)) : toolFaultOf(reply, 0);
}

/** The same for a reply that is known to be a result, from `start` on. */
export function toolFaultOf(reply: Uint8Array, start: number): string {
  if (reply.length - start > maxBytes)
    return isErrorAt(reply, start, start + edgeBytes) || isErrorAt(reply, reply.length - edgeBytes, reply.length)
      ? toolFault
      : "";
  return isErrorAt(reply, start, reply.length) ? toolFault : "";
}

function errorOf(reply: Uint8Array): string | undefined {
  const scanned = scan(reply);
  const envelope = scanned.kind === "message" ? scanned.envelope : undefined;
  return envelope?.spans.error ? errorCodeOf(envelope) : undefined;
}

/** The code of an error as it is written. */
export function errorCodeOf(envelope: Envelope): string {
  const code = spanBytes(envelope, "error.code");
  return code ? latin1Of(code, 0, code.length) : "error";
}

/** An error is small, or has its code before its data. */
function hasKey(reply: Uint8Array, key: Buffer): boolean {
  const part = reply.length > maxBytes ? reply.subarray(0, edgeBytes) : reply;
  return find(part, key, 0) >= 0;
}

/** In a text the quotes would be escaped; in structured content somebody may use the name, and mean the same. */
function isErrorAt(reply: Uint8Array, from: number, to: number): boolean {
  for (let at = find(reply, isErrorKey, from); at >= 0 && at < to; at = find(reply, isErrorKey, at + 1)) {
    let next = at + isErrorKey.length;
    while (isBlank(reply[next]) || reply[next] === colon) next += 1;
    if (reply[next] === letterT) return true;
  }
  return false;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
