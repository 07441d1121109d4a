// Strict push parser for HTTP/1.1 messages: bytes in, head, body pieces and end out; any doubt is a violation.
import { type ChunkLine, newChunkLine, stepChunkLine, wholeChunk } from "./http1-chunk.ts";
import { type Framing, type HeadGrammar, parseFields } from "./http1-head.ts";
import { LineBuffer, splitLines, type Violation } from "./http1-lines.ts";

const CR = 13;
const LF = 10;

export interface MessageSink<Head> {
  onHead(head: Head): void;
  /** A piece of the body, still backed by the bytes that were pushed. */
  onBody(piece: Uint8Array): void;
  /** Offered a whole chunk; false where `onBody` has to take it. */
  onChunk?(bytes: Uint8Array, start: number, end: number): boolean;
  /** The message is complete. */
  onDone(): void;
}

/** The head that came before and its bytes: on the connections of one peer they are mostly the same. */
export interface HeadMemory<Head> {
  known: { readonly block: Buffer; readonly head: Head } | undefined;
}

type State =
  | { readonly kind: "head" }
  | { readonly kind: "length"; left: number }
  | { readonly kind: "chunkSize"; line: ChunkLine }
  | { readonly kind: "chunkData"; left: number }
  | { readonly kind: "chunkEnd"; seenCr: boolean }
  | { readonly kind: "trailers" }
  | { readonly kind: "untilClose" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly why: Violation };

/**
 * Parses one message, and after {@link next} another one. Bytes after its end are counted in `surplus` and never
 * interpreted.
 */
export class MessageParser<Head extends { readonly framing: Framing }> {
  readonly #grammar: HeadGrammar<Head>;
  readonly #sink: MessageSink<Head>;
  /** Start line and headers, those of interim responses included; trailers have the same limit. */
  readonly #maxHeadBytes: number;
  #state: State = { kind: "head" };
  #lines: LineBuffer;
  #headBytes = 0;
  #startSeen = 0;
  #surplus = 0;
  #isFull = false;
  #isPastHead = false;
  readonly memory: HeadMemory<Head>;

  /** `memory`: of this connection, or of all whose heads are alike. */
  constructor(
    grammar: HeadGrammar<Head>,
    sink: MessageSink<Head>,
    maxHeadBytes: number,
    memory: HeadMemory<Head> = { known: undefined },
  ) {
    this.memory = memory;
    this.#grammar = grammar;
    this.#sink = sink;
    this.#maxHeadBytes = maxHeadBytes;
    this.#lines = new LineBuffer();
  }

  /** Makes ready for the next message; the one before must be complete. */
  next(): void {
    this.#state = { kind: "head" };
    this.#isPastHead = false;
    this.#headBytes = 0;
    this.#startSeen = 0;
    this.#surplus = 0;
  }

  /** Nothing more is expected for a while: drops what only makes the next head cheaper. */
  forget(): void {
    this.memory.known = undefined;
  }

  /** True where a part of a message has come. */
  get started(): boolean {
    return this.#state.kind !== "head" || this.#startSeen > 0 || this.#lines.size > 0;
  }

  /** True where a head or trailers were larger than they may be. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** True from the end of a head to the next one. */
  get isPastHead(): boolean {
    return this.#isPastHead;
  }

  get done(): boolean {
    return this.#state.kind === "done";
  }

  /** How many bytes came after the end of the message. */
  get surplus(): number {
    return this.#surplus;
  }

  /** Takes the next bytes; returns what is wrong with them, if anything is. After that, nothing is parsed any more. */
  push(bytes: Uint8Array): Violation | undefined {
    let rest = bytes;
    while (rest.length > 0) {
      const state = this.#state;
      if (state.kind === "failed") return state.why;
      if (state.kind === "done") {
        this.#surplus += rest.length;
        return undefined;
      }
      const used = this.#step(state, rest);
      // A view costs more than the question whether one is needed.
      if (used === rest.length) break;
      rest = rest.subarray(used);
    }
    return this.#state.kind === "failed" ? this.#state.why : undefined;
  }

  /** The peer closed its side: true where this is the proper end of the message, false where it is cut off. */
  end(): boolean {
    if (this.#state.kind === "untilClose") this.#finish();
    return this.#state.kind === "done";
  }

  /** Consumes some of `bytes` and returns how many. */
  #step(state: Exclude<State, { kind: "done" | "failed" }>, bytes: Uint8Array): number {
    switch (state.kind) {
      case "head":
      case "trailers":
        return this.#takeLines(state.kind, bytes);
      case "length":
      case "chunkData":
        return this.#takeCounted(state, bytes);
      case "chunkSize":
        return (state.line.bytes === 0 && this.#takeWholeChunks(bytes)) || this.#takeChunkLine(state.line, bytes);
      case "chunkEnd":
        return this.#takeChunkEnd(state, bytes);
      case "untilClose":
        this.#sink.onBody(bytes);
        return bytes.length;
    }
  }

  #takeLines(kind: "head" | "trailers", bytes: Uint8Array): number {
    if (kind === "head") {
      const same = this.#takeKnown(bytes);
      if (same > 0) return same;
      if (!this.#startsRight(bytes)) return this.#fail(this.#grammar.notStarted);
    }
    const room = this.#maxHeadBytes - this.#headBytes;
    const what = kind === "head" ? "head" : "trailer";
    const found = this.#lines.take(bytes, room);
    if (found === "more") return bytes.length;
    this.#isFull = found === "full";
    if (found === "full") return this.#fail(`the ${what} is larger than ${this.#maxHeadBytes} bytes`);
    if ("bad" in found) return this.#fail(`${what}: ${found.bad}`);
    this.#headBytes += found.block.length;
    this.#startSeen = 0;
    if (kind === "head") this.#takeHead(found.block);
    else this.#takeTrailers(found.block);
    return found.used;
  }

  /** Takes a head that reads as the one before did, byte by byte; 0 where it does not. */
  #takeKnown(bytes: Uint8Array): number {
    const { known } = this.memory;
    const isStart = this.#headBytes === 0 && this.#startSeen === 0;
    if (!known || !isStart || !startsWith(bytes, known.block)) return 0;
    this.#accept(known.head);
    return known.block.length;
  }

  #startsRight(bytes: Uint8Array): boolean {
    const { start, first } = this.#grammar;
    if (first && this.#lines.size === 0 && !first(bytes[0] ?? 0)) return false;
    for (let index = 0; index < bytes.length && this.#startSeen < start.length; index++) {
      if (bytes[index] !== start[this.#startSeen++]) return false;
    }
    return true;
  }

  #takeHead(block: Uint8Array): void {
    const head = this.#grammar.parse(block);
    // The final head is still to come, within the same limit.
    if (head === "interim") return;
    if ("bad" in head) return void this.#fail(head.bad);
    // A copy: the block may be a view of a buffer that is used again.
    this.memory.known = { block: Buffer.from(block), head };
    this.#accept(head);
  }

  #accept(head: Head): void {
    this.#isPastHead = true;
    this.#headBytes = 0;
    const { framing } = head;
    switch (framing.kind) {
      case "none":
        break;
      case "length":
        this.#state = { kind: "length", left: framing.length };
        break;
      case "chunked":
        this.#state = startChunk();
        break;
      case "untilClose":
        this.#state = { kind: "untilClose" };
        break;
    }
    this.#sink.onHead(head);
    if (framing.kind === "none" || (framing.kind === "length" && framing.length === 0)) this.#finish();
  }

  #takeTrailers(block: Uint8Array): void {
    const wrong = parseFields(splitLines(block), 0, new Map());
    if (wrong === undefined) this.#finish();
    else this.#fail(`trailer: ${wrong}`);
  }

  #takeCounted(state: { readonly kind: "length" | "chunkData"; left: number }, bytes: Uint8Array): number {
    const piece = bytes.length > state.left ? bytes.subarray(0, state.left) : bytes;
    state.left -= piece.length;
    this.#sink.onBody(piece);
    if (state.left === 0) {
      if (state.kind === "length") this.#finish();
      else this.#state = { kind: "chunkEnd", seenCr: false };
    }
    return piece.length;
  }

  /** Takes the chunks that lie in `bytes` whole and are plainly written, as those of most streams do. */
  #takeWholeChunks(bytes: Uint8Array): number {
    let at = 0;
    for (let chunk = wholeChunk(bytes, at); chunk; chunk = wholeChunk(bytes, at)) {
      const { start, end } = chunk;
      if (!this.#sink.onChunk?.(bytes, start, end)) this.#sink.onBody(bytes.subarray(start, end));
      at = chunk.end + 2;
    }
    return at;
  }

  #takeChunkLine(line: ChunkLine, bytes: Uint8Array): number {
    for (let index = 0; index < bytes.length; index++) {
      const step = stepChunkLine(line, bytes[index] ?? 0);
      if (step === "more") continue;
      if (step !== "end") return this.#fail(step.bad);
      this.#state = line.size === 0 ? { kind: "trailers" } : { kind: "chunkData", left: line.size };
      return index + 1;
    }
    return bytes.length;
  }

  #takeChunkEnd(state: { readonly kind: "chunkEnd"; seenCr: boolean }, bytes: Uint8Array): number {
    if (bytes[0] !== (state.seenCr ? LF : CR)) return this.#fail("a chunk is longer than its size says");
    if (state.seenCr) this.#state = startChunk();
    state.seenCr = true;
    return 1;
  }

  #finish(): void {
    this.#state = { kind: "done" };
    this.#sink.onDone();
  }

  #fail(why: Violation): number {
    this.#state = { kind: "failed", why };
    return 0;
  }
}

function startChunk(): State {
  return { kind: "chunkSize", line: newChunkLine() };
}

function startsWith(bytes: Uint8Array, block: Buffer): boolean {
  const { length } = block;
  return bytes.length >= length && bytes[length - 5] === block[length - 5] && block.compare(bytes, 0, length) === 0;
}
