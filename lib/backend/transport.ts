// What a link needs from its wire, and what the wire tells the link.

import type { GatewayError } from "../core/errors.ts";
import type { Taken } from "../core/part.ts";
import type { Scope } from "../core/scope.ts";
import type { MessageHeaders, SendOutcome } from "./flight.ts";
import type { StraightWay } from "./straight.ts";

export type { MessageHeaders, SendOutcome } from "./flight.ts";

export interface TransportEvents {
  /**
   * One message came. `cause` is the upstream id of the call on whose own stream it came, where the wire knows; `last`:
   * nothing follows it there, and the bytes are the link's own from then on.
   */
  message(bytes: Uint8Array, cause: number | undefined, last?: boolean): void;
  /** A message came on the stream of `cause`, which lies in other bytes; false where `message` has to take it. */
  progress?(bytes: Uint8Array, start: number, end: number, cause: number): Taken;
  /** The server closed the stream of a call whose answer is still to come, and wants it asked for after `retryMs`. */
  paused(call: number, retryMs: number): void;
  /** Resolves when who waits for this call takes more of its messages; undefined where it keeps up. */
  congestion(call: number): Promise<void> | undefined;
  /** True while this call has no answer yet. */
  waiting(call: number): boolean;
  /** The server may have said something on its own that did not come; from now on it comes. */
  missed?(): void;
  /** The wire takes no new messages, because of `error`; answers of calls that were sent may still come. */
  retired(error: GatewayError): void;
  /** The wire is gone; nothing comes after this. `unsent`: calls of which nothing can have been executed. */
  closed(error: GatewayError, unsent?: ReadonlySet<number>): void;
}

export interface Transport {
  /**
   * Sends one message. For a request, `call` is its upstream id, and cancelling `scope` stops waiting for its answer.
   * Rejects with a `GatewayError` whose `data.sent` says whether the message may have arrived. `headers`: those that
   * belong to this message, where the wire has headers.
   */
  send(message: Uint8Array, call: number | undefined, scope: Scope, headers?: MessageHeaders): Promise<SendOutcome>;
  /** A way on which a call leaves at once, by nothing but its bytes; undefined where there is none right now. */
  straight?(): StraightWay | undefined;
  /** Called once with the negotiated revision, before the message that ends the handshake. */
  negotiated(protocolVersion: string): void;
  /** Called once when the backend has the last message of the handshake. */
  opened(): void;
  /** False where nothing can come right now that the server says on its own; on most wires it always can. */
  readonly hears?: boolean | undefined;
  /** Ends the wire and what belongs to it (session, child process). Idempotent. */
  close(): Promise<void>;
  /** Of the process that is the other end, where it is a child of this one. */
  readonly pid?: number | undefined;
}

/** Puts something between a wire and its link; only where faults are asked for. */
export type WireBender = (
  events: TransportEvents,
  open: (events: TransportEvents) => Promise<Transport> | Transport,
) => Promise<Transport>;
