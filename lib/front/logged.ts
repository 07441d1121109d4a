// One event of a log, as what it is made of: its bytes are put together when they are written.

import { type Part, partSize, putPart } from "../core/part.ts";
import { allocate, copyPart, digitsOf, putAscii, putNumber } from "../core/text.ts";

const lf = 0x0a;
const dataField = "\ndata: ";

/** Bytes that are put together where they are written. */
export interface Frame {
  readonly size: number;
  /** Writes them; returns where they end. */
  put(target: Uint8Array, at: number): number;
}

export class LoggedEvent implements Frame {
  /** Starts the ids of the log: `id: ` and what comes before the number. */
  readonly #idStart: Uint8Array;
  readonly #number: number;
  /** Its message, on one line. */
  readonly part: Part;
  readonly size: number;

  constructor(idStart: Uint8Array, number: number, part: Part) {
    this.#idStart = idStart;
    this.#number = number;
    this.part = part;
    this.size = idStart.length + digitsOf(number) + dataField.length + partSize(part) + 2;
  }

  put(target: Uint8Array, start: number): number {
    let at = copyPart(this.#idStart, 0, this.#idStart.length, target, start);
    at = putAscii(dataField, target, putNumber(this.#number, target, at));
    at = putPart(this.part, target, at);
    target[at] = target[at + 1] = lf;
    return at + 2;
  }

  /** For those who do not put bytes together themselves. */
  whole(): Uint8Array {
    const frame = allocate(this.size);
    this.put(frame, 0);
    return frame;
  }
}
