// Server-sent events to send: messages, comments and the event that lets a client resume, as bytes.

import { allocate, copyBytes } from "./text.ts";

const lf = 0x0a;
const blankLine = Buffer.from("\n\n");
const encode = (text: string): Uint8Array => Buffer.from(text);

/** One event with `data`, which must already be one line (`toLine`), and an id that holds no line break. */
export function frameEvent(data: Uint8Array, id?: string): Uint8Array {
  const head = id === undefined ? "data: " : `id: ${id}\ndata: `;
  if (id !== undefined && !isPlain(id)) return Buffer.concat([encode(`id: ${oneLine(id)}\ndata: `), data, blankLine]);
  const { length } = head;
  // Not from a pool: it is kept, and would keep what else is put there.
  const frame = allocate(length + data.length + 2);
  for (let at = 0; at < length; at += 1) frame[at] = head.charCodeAt(at);
  copyBytes(data, 0, data.length, frame, length);
  frame[length + data.length] = lf;
  frame[length + data.length + 1] = lf;
  return frame;
}

const messageField = Buffer.from("event: message\ndata: ");

/** A message, which must already be one line, for clients that listen for events of that name. */
export function frameMessage(data: Uint8Array): Uint8Array {
  return Buffer.concat([messageField, data, blankLine]);
}

/** 2024-11-05, Transports, "HTTP with SSE": where the client is to send its messages. */
export function frameEndpoint(address: string): Uint8Array {
  return encode(`event: endpoint\ndata: ${oneLine(address)}\n\n`);
}

/** Whether each character is a byte that means nothing in an event stream. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** A comment: keeps a silent stream open, and no client sees it. */
export function frameComment(text: string): Uint8Array {
  return encode(`: ${oneLine(text)}\n\n`);
}

/** 2025-11-25, Transports, "Sending Messages to the Server": the priming event lets a client resume before any message. */
export function frameRetry(retryMs: number, id: string): Uint8Array {
  return encode(`id: ${oneLine(id)}\nretry: ${retryMs}\ndata: \n\n`);
}

/** A line break would start a field that the text's author chose. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}
