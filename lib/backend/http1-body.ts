// The body of one HTTP reply: a bounded queue between the connection that fills it and the one reader that empties it.
import { GatewayError } from "../core/errors.ts";
import type { Taken } from "../core/part.ts";
import { type Rooms, RoomyBytes } from "../core/room.ts";

/** The reader may be this far behind before the socket is paused… */
const PAUSE_ABOVE_BYTES = 256 * 1024;
/** …and is resumed here, well before the queue is empty, so that the reader need not wait for the network. */
const RESUME_BELOW_BYTES = 64 * 1024;

/** Who takes a body as it comes, in the turn in which it does. */
export interface BodyTaker {
  /** Takes the next piece; the one after it comes when what it returns is resolved. What it throws ends the body. */
  take(piece: Uint8Array): Promise<void> | undefined;
  /** Takes a piece that lies whole in other bytes, where it can: false where `take` has to; else as what that returns. */
  takeFrom?(bytes: Uint8Array, start: number, end: number): Taken;
  /** It would rather have its pieces when the turn is over, with those of others like it. */
  readonly isPatient?: boolean;
  /** The clean end, after the last piece. */
  ended(): void;
  /** The end for a reason that {@link HttpBody.read} would reject with. */
  failed(reason: unknown): void;
}

export interface HttpBody {
  /**
   * The next piece, or undefined at the clean end. Rejects with a `GatewayError` "lost" when the connection died before
   * the end, "badProtocol" on a violation, and with the scope's reason when that was cancelled. One reader at a time.
   */
  read(): Promise<Uint8Array | undefined>;
  /** Hands each piece on in the turn in which it comes, those that are here already at once; instead of `read`. */
  feed(taker: BodyTaker): void;
  /** The same; settles as the last `read` would, or fails with what `take` throws. */
  pipe(take: BodyTaker["take"]): Promise<void>;
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

/** The body as its connection sees it. */
export class QueuedBody implements HttpBody {
  readonly #source: BodySource;
  readonly #declaredBytes: number | undefined;
  #queue: Uint8Array[] | undefined;
  #next = 0;
  #queuedBytes = 0;
  #paused = false;
  #end: End | undefined;
  /** Takes what comes. */
  #taker: BodyTaker | undefined;
  /** The one who takes is behind. */
  #isHeld = false;
  #waiting: { resolve(piece: Uint8Array | undefined): void; reject(reason: unknown): void } | undefined;

  constructor(source: BodySource, declaredBytes: number | undefined) {
    this.#source = source;
    this.#declaredBytes = declaredBytes;
  }

  /** Who takes it can wait until the turn is over. */
  get isPatient(): boolean {
    return this.#taker?.isPatient === true;
  }

  /** Called by the connection with the next piece. */
  add(piece: Uint8Array): void {
    if (this.#end !== undefined || piece.length === 0) return;
    if (this.#taker && !this.#isHeld) return void this.#hand(this.#taker, piece);
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve(piece);
      return;
    }
    (this.#queue ??= []).push(piece);
    this.#queuedBytes += piece.length;
    if (this.#queuedBytes > PAUSE_ABOVE_BYTES && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** Called by the connection with a piece in other bytes; false where it is to be added. */
  offer(bytes: Uint8Array, start: number, end: number): boolean {
    const taker = this.#taker;
    if (!taker?.takeFrom || this.#isHeld || this.#end !== undefined) return false;
    try {
      const taken = taker.takeFrom(bytes, start, end);
      if (typeof taken === "boolean") return taken;
      this.#hold(taken);
    } catch (error) {
      this.#giveUp(error);
    }
    return true;
  }

  /** Called by the connection: the body is complete; what is queued can still be read. */
  finish(): void {
    this.#close({ kind: "clean" });
    this.#waiting?.resolve(undefined);
    this.#waiting = undefined;
  }

  /** Called by the connection: no more will come. What came before can still be read: a stream is resumed after it. */
  fail(reason: unknown): void {
    this.#close({ kind: "failed", reason });
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  #close(end: End): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#paused = false;
    if (this.#taker && !this.#isHeld) this.#settle(this.#taker);
  }

  read(): Promise<Uint8Array | undefined> {
    const piece = this.#queue?.[this.#next];
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

  feed(taker: BodyTaker): void {
    this.#taker = taker;
    this.#pump();
  }

  pipe(take: BodyTaker["take"]): Promise<void> {
    return new Promise((ended, failed) => this.feed({ take, ended, failed }));
  }

  /** What came before its taker did, or while that was behind: in one go, so that what is written of it leaves together. */
  #pump(): void {
    const taker = this.#taker;
    if (!taker) return;
    for (let piece = this.#queue?.[this.#next]; piece; piece = this.#queue?.[this.#next]) {
      this.#took(piece);
      if (!this.#hand(taker, piece)) return;
    }
    if (this.#end) this.#settle(taker);
  }

  /** In the turn in which it came, and in no promise: streams are made of many small pieces. False: no more for now. */
  #hand(taker: BodyTaker, piece: Uint8Array): boolean {
    try {
      const congestion = taker.take(piece);
      if (congestion) this.#hold(congestion);
    } catch (error) {
      this.#giveUp(error);
    }
    return !this.#isHeld && this.#taker === taker;
  }

  /** No piece is handed on before that. */
  #hold(congestion: Promise<void>): void {
    this.#isHeld = true;
    const goOn = (): void => {
      this.#isHeld = false;
      this.#pump();
    };
    congestion.then(goOn, (error: unknown) => this.#giveUp(error));
  }

  #settle(taker: BodyTaker): void {
    this.#taker = undefined;
    if (this.#end?.kind === "failed") taker.failed(this.#end.reason);
    else taker.ended();
  }

  #giveUp(error: unknown): void {
    const taker = this.#taker;
    this.#taker = undefined;
    this.#isHeld = false;
    if (this.#end === undefined) {
      this.#end = { kind: "failed", reason: error };
      this.#source.abort(this, error);
    }
    this.discard();
    taker?.failed(error);
  }

  whole(maxBytes: number): Uint8Array | undefined {
    const only = this.#queue?.[0];
    const isWhole = this.#end?.kind === "clean" && this.#queue?.length === 1 && this.#next === 0;
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
    this.#queue = undefined;
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
    if (this.#next === this.#queue?.length) {
      this.#queue = undefined;
      this.#next = 0;
    }
    if (this.#paused && this.#queuedBytes < RESUME_BELOW_BYTES) {
      this.#paused = false;
      this.#source.resume();
    }
  }
}
