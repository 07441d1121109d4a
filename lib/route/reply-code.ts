// What of a reply decides where it goes next: the code of an error.

import { asRecord, decodeText } from "../core/text.ts";

/** Only a small reply is looked into: an error is small, a result need not be. */
const maxErrorBytes = 64 * 1024;

/** The code of an error reply; undefined for a result. */
export function errorCode(reply: Uint8Array): unknown {
  const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.length);
  if (reply.length > maxErrorBytes || !bytes.includes('"error"')) return undefined;
  return asRecord(asRecord(JSON.parse(decodeText(reply)))["error"])["code"];
}
