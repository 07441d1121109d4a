// What a link needs from its wire, and what the wire tells the link.

import type { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";

export interface TransportEvents {
  /** One message came. `cause` is the upstream id of the call on whose own stream it came, where the wire knows. */
  message(bytes: Uint8Array, cause: number | undefined): void;
  /** True while this call has no answer yet. */
  waiting(call: number): boolean;
  /** The wire takes no new messages, because of `error`; answers of calls that were sent may still come. */
  retired(error: GatewayError): void;
  /** The wire is gone; nothing comes after this. */
  closed(error: GatewayError): void;
}

/** `open`: the answer may come at any time; `ended`: no answer can come any more. */
export type SendOutcome = "open" | "ended";

export interface Transport {
  /**
   * Sends one message. For a request, `call` is its upstream id, and cancelling `scope` stops waiting for its answer.
   * Rejects with a `GatewayError` whose `data.sent` says whether the message may have arrived.
   */
  send(message: Uint8Array, call: number | undefined, scope: Scope): Promise<SendOutcome>;
  /** Called once with the negotiated revision, before the first message after the handshake. */
  opened(protocolVersion: string): void;
  /** Ends the wire and what belongs to it (session, child process). Idempotent. */
  close(): Promise<void>;
}

/** Opens the wire of one replica. */
export type OpenTransport = (events: TransportEvents, scope: Scope) => Promise<Transport>;
