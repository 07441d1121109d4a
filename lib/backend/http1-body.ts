// The body of one HTTP reply: a bounded queue between the connection that fills it and the one reader that empties it.
import { GatewayError } from "../core/errors.ts";
import { type Rooms, RoomyBytes } from "../core/room.ts";

/** The reader may be this far behind before the socket is paused… */
const PAUSE_ABOVE_BYTES = 256 * 1024;
/** …and is resumed here, well before the queue is empty, so that the reader need not wait for the network. */
const RESUME_BELOW_BYTES = 64 * 1024;

/** Takes the next piece; the one after it comes when what it returns is resolved. */
export type Take = (piece: Uint8Array) => Promise<void> | undefined;

/** Takes a piece that comes whole in other bytes, where it can; its reader is then as far behind as `congestion` says. */
export interface Shortcut {
  take(bytes: Uint8Array, start: number, end: number): boolean;
  congestion(): Promise<void> | undefined;
}

export interface HttpBody {
  /**
   * The next piece, or undefined at the clean end. Rejects with a `GatewayError` "lost" when the connection died before
   * the end, "badProtocol" on a violation, and with the scope's reason when that was cancelled. One reader at a time.
   */
  read(): Promise<Uint8Array | undefined>;
  /**
   * Hands each piece on in the turn in which it comes, and after the time that `take` asks for; settles as the last
   * `read` would, or fails with what `take` throws. Pieces are offered to `shortcut` first, while nothing waits.
   */
  pipe(take: Take, shortcut?: Shortcut): Promise<void>;
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
  /** Memory for a large body. */
  readonly rooms: Rooms;
  pause(): void;
  resume(): void;
  /** Gives up the exchange of this body, if it is still under way. */
  abort(body: QueuedBody, reason: unknown): void;
}

type End = { readonly kind: "clean" } | { readonly kind: "failed"; readonly reason: unknown };

const nothing = new Uint8Array();

/** The body as its connection sees it. */
export class QueuedBody implements HttpBody {
  readonly #source: BodySource;
  readonly #declaredBytes: number | undefined;
  #queue: Uint8Array[] = [];
  #next = 0;
  #queuedBytes = 0;
  #paused = false;
  #end: End | undefined;
  /** Takes what comes while nothing waits. */
  #take: Take | undefined;
  #shortcut: Shortcut | undefined;
  /** What the one who takes waits for. */
  #congestion: Promise<void> | undefined;
  #waiting: { resolve(piece: Uint8Array | undefined): void; reject(reason: unknown): void } | undefined;

  constructor(source: BodySource, declaredBytes: number | undefined) {
    this.#source = source;
    this.#declaredBytes = declaredBytes;
  }

  /** Called by the connection with the next piece. */
  add(piece: Uint8Array): void {
    if (this.#end !== undefined || piece.length === 0) return;
    if (this.#take) return this.#handOn(this.#take, piece);
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

  /** Called by the connection with a piece in other bytes; false where it is to be added. */
  offer(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#take || this.#end !== undefined || !this.#shortcut) return false;
    try {
      if (!this.#shortcut.take(bytes, start, end)) return false;
      this.#wait(this.#shortcut.congestion());
    } catch (error) {
      this.#giveUp(error);
    }
    return true;
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
      this.#took(piece);
      return Promise.resolve(piece);
    }
    if (this.#end?.kind === "clean") return Promise.resolve(undefined);
    if (this.#end?.kind === "failed") return Promise.reject(this.#end.reason);
    if (this.#waiting !== undefined) return Promise.reject(this.#fault("internal", "two readers of one body"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  async pipe(take: Take, shortcut?: Shortcut): Promise<void> {
    this.#shortcut = shortcut;
    try {
      for (;;) {
        // What came before the reader did, too, so that what is written of it leaves in one go.
        for (let piece = this.#queue[this.#next]; piece; piece = this.#queue[this.#next]) {
          this.#took(piece);
          const congestion = take(piece);
          if (congestion) await congestion;
        }
        this.#take = take;
        // Empty: it was handed on, and is waited for.
        if ((await this.read()) === undefined) return;
        await this.#congestion;
      }
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /** In the turn in which it came, and in no promise: streams are made of many small pieces. */
  #handOn(take: Take, piece: Uint8Array): void {
    try {
      this.#wait(take(piece));
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(error: unknown): void {
    this.fail(error);
    this.#source.abort(this, error);
  }

  /** No piece is handed on before that. */
  #wait(congestion: Promise<void> | undefined): void {
    this.#congestion = congestion;
    if (!congestion) return;
    this.#take = undefined;
    this.#waiting?.resolve(nothing);
    this.#waiting = undefined;
  }

  whole(maxBytes: number): Uint8Array | undefined {
    const only = this.#queue[0];
    const isWhole = this.#end?.kind === "clean" && this.#queue.length === 1 && this.#next === 0;
    if (!only || !isWhole || only.length > maxBytes) return undefined;
    this.#took(only);
    return only;
  }

  async bytes(maxBytes: number): Promise<Uint8Array> {
    const declared = this.#declaredBytes;
    if (declared !== undefined && declared > maxBytes) throw this.#refuse(maxBytes);
    const only = this.whole(maxBytes);
    if (only) return only;
    const whole = new RoomyBytes(this.#source.rooms, declared, maxBytes);
    await this.pipe((piece) => {
      if (!whole.add(piece)) throw this.#tooLarge(maxBytes);
      return undefined;
    });
    return whole.take();
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
    return this.#tooLarge(maxBytes);
  }

  #tooLarge(maxBytes: number): GatewayError {
    return this.#fault("replyTooLarge", `${this.#source.name} answered with more than ${maxBytes} bytes`);
  }

  #fault(code: "internal" | "lost" | "replyTooLarge", message: string): GatewayError {
    return new GatewayError(code, message, { data: { sent: true } });
  }

  #took(piece: Uint8Array): void {
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
