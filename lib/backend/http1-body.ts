// The body of one HTTP reply: a bounded queue between the connection that fills it and the one reader that empties it.
import { GatewayError } from "../core/errors.ts";

/** The reader may be this far behind before the socket is paused… */
const PAUSE_ABOVE_BYTES = 256 * 1024;
/** …and is resumed here, well before the queue is empty, so that the reader need not wait for the network. */
const RESUME_BELOW_BYTES = 64 * 1024;

export interface HttpBody {
  /**
   * The next piece, or undefined at the clean end. Rejects with a `GatewayError` "lost" when the connection died before
   * the end, "badProtocol" on a violation, and with the scope's reason when that was cancelled. One reader at a time.
   */
  read(): Promise<Uint8Array | undefined>;
  /** The whole body where all of it has come already, in one piece of at most `maxBytes`. */
  whole(maxBytes: number): Uint8Array | undefined;
  /** The whole body; a `GatewayError` "replyTooLarge" as soon as it is known to exceed `maxBytes`. */
  bytes(maxBytes: number): Promise<Uint8Array>;
  /** Stops: closes the connection unless the body is complete. */
  cancel(): void;
}

/** What a body asks of the connection behind it. */
export interface BodySource {
  /** host:port, for messages. */
  readonly name: string;
  pause(): void;
  resume(): void;
  /** Gives up the exchange of this body, if it is still under way. */
  abort(body: QueuedBody, reason: unknown): void;
}

type End = { readonly kind: "clean" } | { readonly kind: "failed"; readonly reason: unknown };

/** The body as its connection sees it. */
export class QueuedBody implements HttpBody {
  readonly #source: BodySource;
  readonly #declaredBytes: number | undefined;
  #queue: Uint8Array[] = [];
  #next = 0;
  #queuedBytes = 0;
  #paused = false;
  #end: End | undefined;
  #waiting: { resolve(piece: Uint8Array | undefined): void; reject(reason: unknown): void } | undefined;

  constructor(source: BodySource, declaredBytes: number | undefined) {
    this.#source = source;
    this.#declaredBytes = declaredBytes;
  }

  /** Called by the connection with the next piece. */
  add(piece: Uint8Array): void {
    if (this.#end !== undefined || piece.length === 0) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve(piece);
      return;
    }
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
    if (this.#queuedBytes > PAUSE_ABOVE_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** Called by the connection: the body is complete; what is queued can still be read. */
  finish(): void {
    if (this.#end !== undefined) return;
    this.#end = { kind: "clean" };
    this.#paused = false;
    this.#waiting?.resolve(undefined);
    this.#waiting = undefined;
  }

  /** Called by the connection: no more will come. What came before can still be read: a stream is resumed after it. */
  fail(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { kind: "failed", reason };
    this.#paused = false;
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  read(): Promise<Uint8Array | undefined> {
    const piece = this.#queue[this.#next];
    if (piece !== undefined) {
      this.#take(piece);
      return Promise.resolve(piece);
    }
    if (this.#end?.kind === "clean") return Promise.resolve(undefined);
    if (this.#end?.kind === "failed") return Promise.reject(this.#end.reason);
    if (this.#waiting !== undefined) return Promise.reject(this.#fault("internal", "two readers of one body"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  whole(maxBytes: number): Uint8Array | undefined {
    const only = this.#queue[0];
    const isWhole = this.#end?.kind === "clean" && this.#queue.length === 1 && this.#next === 0;
    if (!only || !isWhole || only.length > maxBytes) return undefined;
    this.#take(only);
    return only;
  }

  async bytes(maxBytes: number): Promise<Uint8Array> {
    const declared = this.#declaredBytes;
    if (declared !== undefined && declared > maxBytes) throw this.#refuse(maxBytes);
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (let piece = await this.read(); piece !== undefined; piece = await this.read()) {
      size += piece.length;
      if (size > maxBytes) throw this.#refuse(maxBytes);
      pieces.push(piece);
    }
    const only = pieces.length === 1 ? pieces[0] : undefined;
    return only ?? Buffer.concat(pieces, size);
  }

  cancel(): void {
    if (this.#end === undefined) {
      const reason = this.#fault("lost", `the answer of ${this.#source.name} was given up by its reader`);
      this.fail(reason);
      this.#source.abort(this, reason);
    }
    this.discard();
  }

  /** Drops what is queued, so that a cancelled reader stops at once. */
  discard(): void {
    this.#queue = [];
    this.#next = 0;
    this.#queuedBytes = 0;
  }

  #refuse(maxBytes: number): GatewayError {
    this.cancel();
    return this.#fault("replyTooLarge", `${this.#source.name} answered with more than ${maxBytes} bytes`);
  }

  #fault(code: "internal" | "lost" | "replyTooLarge", message: string): GatewayError {
    return new GatewayError(code, message, { data: { sent: true } });
  }

  #take(piece: Uint8Array): void {
    this.#queuedBytes -= piece.length;
    this.#next++;
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    }
    if (this.#paused && this.#queuedBytes < RESUME_BELOW_BYTES) {
      this.#paused = false;
      this.#source.resume();
    }
  }
}
