// Server-sent events to send: messages, comments and the event that lets a client resume, as bytes.

import { allocate, copyPart, putAscii } from "./text.ts";

const lf = 0x0a;
const blankLine = Buffer.from("\n\n");
const encode = (text: string): Uint8Array => Buffer.from(text);

/** One event with `data`, which must already be one line (`toLine`). */
export function frameEvent(data: Uint8Array): Uint8Array {
  // Not from a pool: it may be kept, and would keep what else is put there.
  const frame = allocate(dataField.length + data.length + 2);
  const end = copyPart(data, 0, data.length, frame, putAscii(dataField, frame, 0));
  frame[end] = frame[end + 1] = lf;
  return frame;
}

const dataField = "data: ";
const messageField = Buffer.from("event: message\ndata: ");

/** A message, which must already be one line, for clients that listen for events of that name. */
export function frameMessage(data: Uint8Array): Uint8Array {
  return Buffer.concat([messageField, data, blankLine]);
}

/** 2024-11-05, Transports, "HTTP with SSE": where the client is to send its messages. */
export function frameEndpoint(address: string): Uint8Array {
  return encode(`event: endpoint\ndata: ${oneLine(address)}\n\n`);
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
