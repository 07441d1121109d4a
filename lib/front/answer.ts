// The bytes of an HTTP/1.1 answer.

import type { Headers } from "./exchange.ts";
import { reasonOf } from "./reasons.ts";

/** What the connection decides of an answer. */
export interface AnswerForm {
  /** The client speaks HTTP/1.0: it must be told that the connection stays open. */
  readonly isOld: boolean;
  /** The connection closes after it. */
  readonly isLast: boolean;
}

const lengthField = "content-length: ";

/** The start of an answer: status line, date and headers. */
interface Start {
  readonly status: number;
  readonly headers: Headers;
  readonly second: number;
  readonly bytes: Uint8Array;
}

/** One for all connections: what answers have in common is made once. */
export class AnswerEncoder {
  #second = 0;
  #date = "";
  /** Of the answer before, which most answers share. */
  #known: Start | undefined;

  /** Head and body in one piece. */
  whole(status: number, headers: Headers, body: Uint8Array, form: AnswerForm): Uint8Array {
    return this.#encode(status, headers, `${lengthField}${body.length}\r\n${endOf(form)}`, body);
  }

  /** The head of a body of this many bytes; undefined: none, of which nothing is said. */
  head(status: number, headers: Headers, length: number | undefined, form: AnswerForm): Uint8Array {
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
