// Writes messages as lines to a child's input, those of one turn together, and knows which of them it cannot have got.

import { toLine } from "../core/envelope.ts";
import { atTurnEnd } from "../core/scope.ts";
import { copyPart } from "../core/text.ts";

/** A message on its way. */
export interface Outgoing {
  readonly message: Uint8Array;
  /** Upstream id of a request. */
  readonly call: number | undefined;
  /** It was taken, or may have been. */
  taken(): void;
  /** It cannot have been taken in full. */
  refused(error: unknown): void;
}

const lineEnd = 0x0a;

export class LineWriter {
  readonly #output: NodeJS.WritableStream;
  readonly #broken: () => void;
  #waiting: Outgoing[] = [];
  #busy = false;

  /** `broken` is called when nobody reads the other end any more. */
  constructor(output: NodeJS.WritableStream, broken: () => void) {
    this.#output = output;
    this.#broken = broken;
  }

  /** Calls of which no byte was written. */
  get unsent(): ReadonlySet<number> {
    return new Set(this.#waiting.flatMap(({ call }) => (call === undefined ? [] : [call])));
  }

  write(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    // One write for all messages of this turn.
    if (!this.#busy && this.#waiting.length === 1) atTurnEnd(() => this.#flush());
  }

  #flush(): void {
    const batch = this.#waiting;
    if (this.#busy || batch.length === 0) return;
    this.#busy = true;
    this.#waiting = [];
    this.#output.write(linesOf(batch), (error) => this.#written(batch, error ?? undefined));
  }

  #written(batch: readonly Outgoing[], error: Error | undefined): void {
    this.#busy = false;
    const isBroken = error !== undefined && "code" in error && error.code === "EPIPE";
    const [only] = batch;
    // A broken pipe has not taken the end of what was written: a single message is not whole. Of several the first ones
    // may be, and any other error may come after all of it was read.
    if (isBroken && only && batch.length === 1) only.refused(error);
    else for (const outgoing of batch) outgoing.taken();
    if (error === undefined) return this.#flush();
    for (const outgoing of this.#waiting.splice(0)) outgoing.refused(error);
    if (isBroken) this.#broken();
  }
}

/** The messages in one piece, each on a line. */
function linesOf(batch: readonly Outgoing[]): Uint8Array {
  let size = batch.length;
  for (const { message } of batch) size += message.length;
  const lines = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const { message } of batch) {
    const line = toLine(message);
    at = copyPart(line, 0, line.length, lines, at);
    lines[at] = lineEnd;
    at += 1;
  }
  return lines;
}
