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

/** Where the parser is; `left` counts what is to come of the body or the chunk. */
type State =
  | "head"
  | "length"
  | "chunkSize"
  | "chunkData"
  | "chunkCr"
  | "chunkLf"
  | "trailers"
  | "untilClose"
  | "done"
  | "failed";

/**
 * Parses one message, and after {@link next} another one. Bytes after its end are counted in `surplus` and never
 * interpreted.
 */
export class MessageParser<Head extends { readonly framing: Framing }> {
  readonly #grammar: HeadGrammar<Head>;
  readonly #sink: MessageSink<Head>;
  /** Start line and headers, those of interim responses included; trailers have the same limit. */
  readonly #maxHeadBytes: number;
  #state: State = "head";
  #left = 0;
  /** What is wrong, where something is. */
  #why: Violation = "";
  /** Of a head, or the line before a chunk, that came in pieces. There may be thousands of parsers. */
  #lines: LineBuffer | undefined;
  #line: ChunkLine | undefined;
  #headBytes = 0;
  #startSeen = 0;
  #surplus = 0;
  #isFull = false;
  #isPastHead = false;
  readonly memory: HeadMemory<Head>;
  /** Of the head memory, where this is its own. */
  known: HeadMemory<Head>["known"];

  /** `memory`: of all connections whose heads are alike; absent: of this one alone. */
  constructor(grammar: HeadGrammar<Head>, sink: MessageSink<Head>, maxHeadBytes: number, memory?: HeadMemory<Head>) {
    this.memory = memory ?? this;
    this.#grammar = grammar;
    this.#sink = sink;
    this.#maxHeadBytes = maxHeadBytes;
  }

  /** Makes ready for the next message; the one before must be complete. */
  next(): void {
    this.#state = "head";
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
    return this.#state !== "head" || this.#startSeen > 0 || this.#linesSize > 0;
  }

  get #linesSize(): number {
    return this.#lines?.size ?? 0;
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
    return this.#state === "done";
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
      if (state === "failed") return this.#why;
      if (state === "done") {
        this.#surplus += rest.length;
        return undefined;
      }
      const used = this.#step(state, rest);
      // A view costs more than the question whether one is needed.
      if (used === rest.length) break;
      rest = rest.subarray(used);
    }
    return this.#state === "failed" ? this.#why : undefined;
  }

  /** The peer closed its side: true where this is the proper end of the message, false where it is cut off. */
  end(): boolean {
    if (this.#state === "untilClose") this.#finish();
    return this.#state === "done";
  }

  /** Consumes some of `bytes` and returns how many. */
  #step(state: Exclude<State, "done" | "failed">, bytes: Uint8Array): number {
    switch (state) {
      case "head":
      case "trailers":
        return this.#takeLines(state, bytes);
      case "length":
      case "chunkData":
        return this.#takeCounted(state, bytes);
      case "chunkSize":
        return (this.#line === undefined && this.#takeWholeChunks(bytes)) || this.#takeChunkLine(bytes);
      case "chunkCr":
      case "chunkLf":
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
    const lines = (this.#lines ??= new LineBuffer());
    const found = lines.take(bytes, room);
    if (found === "more") return bytes.length;
    this.#isFull = found === "full";
    if (found === "full") return this.#fail(`the ${what} is larger than ${this.#maxHeadBytes} bytes`);
    if ("bad" in found) return this.#fail(`${what}: ${found.bad}`);
    this.#headBytes += found.block.length;
    this.#startSeen = 0;
    this.#lines = undefined;
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
    if (first && this.#linesSize === 0 && !first(bytes[0] ?? 0)) return false;
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
        this.#state = "length";
        this.#left = framing.length;
        break;
      case "chunked":
        this.#state = "chunkSize";
        break;
      case "untilClose":
        this.#state = "untilClose";
        break;
    }
    this.#sink.onHead(head);
    if (framing.kind === "none" || (framing.kind === "length" && framing.length === 0)) this.#finish();
  }

  #takeTrailers(block: Uint8Array): void {
    // Nothing but the empty line.
    if (block.length <= 2) return this.#finish();
    const wrong = parseFields(splitLines(block), 0, new Map());
    if (wrong === undefined) this.#finish();
    else this.#fail(`trailer: ${wrong}`);
  }

  #takeCounted(state: "length" | "chunkData", bytes: Uint8Array): number {
    const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= piece.length;
    this.#sink.onBody(piece);
    if (this.#left === 0) {
      if (state === "length") this.#finish();
      else this.#state = "chunkCr";
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

  #takeChunkLine(bytes: Uint8Array): number {
    const line = (this.#line ??= newChunkLine());
    for (let index = 0; index < bytes.length; index++) {
      const step = stepChunkLine(line, bytes[index] ?? 0);
      if (step === "more") continue;
      if (step !== "end") return this.#fail(step.bad);
      this.#line = undefined;
      this.#left = line.size;
      this.#state = line.size === 0 ? "trailers" : "chunkData";
      return index + 1;
    }
    return bytes.length;
  }

  #takeChunkEnd(state: "chunkCr" | "chunkLf", bytes: Uint8Array): number {
    if (bytes[0] !== (state === "chunkLf" ? LF : CR)) return this.#fail("a chunk is longer than its size says");
    this.#state = state === "chunkLf" ? "chunkSize" : "chunkLf";
    return 1;
  }

  #finish(): void {
    this.#state = "done";
    this.#sink.onDone();
  }

  #fail(why: Violation): number {
    this.#state = "failed";
    this.#why = why;
    return 0;
  }
}

function startsWith(bytes: Uint8Array, block: Buffer): boolean {
  const { length } = block;
  return bytes.length >= length && bytes[length - 5] === block[length - 5] && block.compare(bytes, 0, length) === 0;
}
