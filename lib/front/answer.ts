// The bytes of an HTTP/1.1 answer.

import { Traffic } from "../core/meter.ts";
import { putNumber } from "../core/text.ts";
import { ChunkTurn } from "./chunks.ts";
import { Crowd } from "./crowd.ts";
import type { Headers } from "./exchange.ts";
import { reasonOf } from "./reasons.ts";
import { jsonHeaders } from "./reply.ts";

/** What the connection decides of an answer. */
export interface AnswerForm {
  /** The client speaks HTTP/1.0: it must be told that the connection stays open. */
  readonly isOld: boolean;
  /** The connection closes after it. */
  readonly isLast: boolean;
}

const lengthField = "content-length: ";
/** Up to this size a body is copied behind its head, so that both leave in one write. */
const maxJoinedBytes = 64 * 1024;
const lengthBytes = Buffer.from(lengthField);
const roomBytes = 32 * 1024;

/** The start of an answer: status line, date and headers. */
interface Start {
  readonly status: number;
  readonly headers: Headers;
  readonly second: number;
  readonly bytes: Uint8Array;
}

/** One for all connections: what answers have in common is made once. */
export class AnswerEncoder {
  /** Of all connections whose answers it writes. */
  readonly traffic: Traffic;
  #second = 0;
  #date = "";
  /** Of the answer before, which most answers share. */
  #known: Start | undefined;
  /** Where small answers are put together, one after another. */
  readonly room: Buffer = Buffer.allocUnsafeSlow(roomBytes);
  #inRoom: Uint8Array | undefined;
  /** The same for chunks of streams. */
  readonly chunkRoom: Buffer = Buffer.allocUnsafeSlow(roomBytes);
  readonly chunkTurn: ChunkTurn = new ChunkTurn();
  readonly crowd: Crowd = new Crowd();

  constructor(traffic: Traffic = new Traffic()) {
    this.traffic = traffic;
  }

  /** An answer with this body, or with the head that one with it would have; `rest` is what of it is not copied. */
  answer(
    status: number,
    headers: Headers,
    body: Uint8Array | undefined,
    form: AnswerForm,
    isHead: boolean,
  ): { readonly first: Uint8Array; readonly rest: Uint8Array | undefined } {
    if (body && body.length <= maxJoinedBytes && !isHead) {
      const end = `${lengthField}${body.length}\r\n${endOf(form)}`;
      return { first: this.#encode(status, headers, end, body), rest: undefined };
    }
    const hasLength = status !== 204 && status !== 304;
    const first = this.#head(status, headers, hasLength ? (body?.length ?? 0) : undefined, form);
    return { first, rest: isHead ? undefined : body };
  }

  /** Puts the head of a JSON answer at the start of `room`; returns where its body begins. */
  json(bodyBytes: number): number {
    const { room } = this;
    const start = this.#start(200, jsonHeaders);
    if (start !== this.#inRoom) {
      room.set(start);
      room.set(lengthBytes, start.length);
      this.#inRoom = start;
    }
    const at = putNumber(bodyBytes, room, start.length + lengthBytes.length);
    room[at] = room[at + 2] = 0x0d;
    room[at + 1] = room[at + 3] = 0x0a;
    return at + 4;
  }

  /** The head of a body of this many bytes; undefined: none, of which nothing is said. */
  #head(status: number, headers: Headers, length: number | undefined, form: AnswerForm): Uint8Array {
    const framing = length === undefined ? "" : `${lengthField}${length}\r\n`;
    return this.#encode(status, headers, framing + endOf(form), undefined);
  }

  /** The head of a body that is written as it comes, in chunks or up to the end of the connection. */
  streamHead(status: number, headers: Headers, form: AnswerForm): Uint8Array {
    const framing = form.isOld ? "" : "transfer-encoding: chunked\r\n";
    return this.#encode(status, headers, framing + endOf(form), undefined);
  }

  #encode(status: number, headers: Headers, end: string, body: Uint8Array | undefined): Uint8Array {
    const start = this.#start(status, headers);
    const head = start.length + end.length;
    const answer = Buffer.allocUnsafe(head + (body?.length ?? 0));
    answer.set(start);
    for (let at = 0; at < end.length; at += 1) answer[start.length + at] = end.charCodeAt(at);
    if (body) answer.set(body, head);
    return answer;
  }

  #start(status: number, headers: Headers): Uint8Array {
    const second = Math.floor(Date.now() / 1000);
    const known = this.#known;
    if (known?.status === status && known.headers === headers && known.second === second) return known.bytes;
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    let text = `HTTP/1.1 ${status} ${reasonOf(status)}\r\ndate: ${this.#date}\r\n`;
    for (const [name, value] of Object.entries(headers)) text += `${name}: ${value}\r\n`;
    const bytes = Buffer.from(text, "latin1");
    this.#known = { status, headers, second, bytes };
    return bytes;
  }
}

/** The last lines of a head. */
function endOf({ isOld, isLast }: AnswerForm): string {
  return isLast ? "connection: close\r\n\r\n" : isOld ? "connection: keep-alive\r\n\r\n" : "\r\n";
}
