// Strict push parser for HTTP/1.1 responses: bytes in, head, body pieces and end out; any doubt is a violation.
import { type ChunkLine, newChunkLine, stepChunkLine } from "./http1-chunk.ts";
import { BAD_STATUS_LINE, parseFields, parseHead, type ResponseHead } from "./http1-head.ts";
import { LineBuffer, splitLines, type Violation } from "./http1-lines.ts";

/** What every head starts with; a server of another protocol, which may wait for us, is found out by its first bytes. */
const START: readonly number[] = Array.from(Buffer.from("HTTP/1."));
const CR = 13;
const LF = 10;

interface ResponseSink {
  onHead(head: ResponseHead): void;
  /** A piece of the body, still backed by the bytes that were pushed. */
  onBody(piece: Uint8Array): void;
  /** The response is complete. */
  onDone(): void;
}

interface ParserLimits {
  /** Status line and headers, those of interim (1xx) responses included; trailers have the same limit. */
  readonly maxHeadBytes: number;
  /** The response to a HEAD request: no body, whatever its headers announce. */
  readonly bodyless?: boolean;
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

/** Parses exactly one response. Bytes after its end are counted in `surplus` and never interpreted. */
export class ResponseParser {
  readonly #sink: ResponseSink;
  readonly #maxHeadBytes: number;
  readonly #bodyless: boolean;
  #state: State = { kind: "head" };
  #lines: LineBuffer;
  #headBytes = 0;
  #startSeen = 0;
  #surplus = 0;

  constructor(sink: ResponseSink, limits: ParserLimits) {
    this.#sink = sink;
    this.#maxHeadBytes = limits.maxHeadBytes;
    this.#bodyless = limits.bodyless ?? false;
    this.#lines = new LineBuffer();
  }

  get done(): boolean {
    return this.#state.kind === "done";
  }

  /** How many bytes came after the end of the response. */
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
      rest = rest.subarray(this.#step(state, rest));
    }
    return this.#state.kind === "failed" ? this.#state.why : undefined;
  }

  /** The server closed its side: true where this is the proper end of the response, false where it is cut off. */
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
        return this.#takeChunkLine(state.line, bytes);
      case "chunkEnd":
        return this.#takeChunkEnd(state, bytes);
      case "untilClose":
        this.#sink.onBody(bytes);
        return bytes.length;
    }
  }

  #takeLines(kind: "head" | "trailers", bytes: Uint8Array): number {
    if (kind === "head" && !this.#startsRight(bytes)) return this.#fail(BAD_STATUS_LINE);
    const room = this.#maxHeadBytes - this.#headBytes;
    const what = kind === "head" ? "head" : "trailer";
    const found = this.#lines.take(bytes, room);
    if (found === "more") return bytes.length;
    if (found === "full") return this.#fail(`the ${what} is larger than ${this.#maxHeadBytes} bytes`);
    if ("bad" in found) return this.#fail(`${what}: ${found.bad}`);
    this.#headBytes += found.block.length;
    this.#startSeen = 0;
    if (kind === "head") this.#takeHead(found.block);
    else this.#takeTrailers(found.block);
    return found.used;
  }

  #startsRight(bytes: Uint8Array): boolean {
    for (let index = 0; index < bytes.length && this.#startSeen < START.length; index++) {
      if (bytes[index] !== START[this.#startSeen++]) return false;
    }
    return true;
  }

  #takeHead(block: Uint8Array): void {
    const head = parseHead(block, this.#bodyless);
    if ("bad" in head) return void this.#fail(head.bad);
    if (head.status === 101) return void this.#fail("101 Switching Protocols, which nobody asked for");
    if (head.status < 200) {
      if (head.headers.has("transfer-encoding") || Number(head.headers.get("content-length") ?? 0) > 0) {
        this.#fail("an interim response that announces a body");
      }
      return; // 1xx: the final head is still to come, within the same limit
    }
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
