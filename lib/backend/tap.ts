// Listens in on a wire: every message as it goes out and comes in, below whatever an era makes of it.

import type { GatewayError } from "../core/errors.ts";
import type { MessageHeaders, Transport, TransportEvents } from "./transport.ts";

export interface WireTap {
  /** A wire is opened: the first one, or another for a server that ended the first. */
  opened(): void;
  /** `call`: the id of a request on the wire. */
  sent(message: Uint8Array, headers: MessageHeaders | undefined, call: number | undefined): void;
  received(message: Uint8Array): void;
  /** The head of an HTTP answer to the request with that id, or to what is none. */
  answered(status: number, headers: ReadonlyMap<string, string>, call: number | undefined): void;
}

/** Events that the tap hears before `events` does. */
export function tapEvents(events: TransportEvents, tap: WireTap): TransportEvents {
  return {
    message(bytes, cause, last) {
      tap.received(bytes);
      events.message(bytes, cause, last);
    },
    paused: (call, retryMs) => events.paused(call, retryMs),
    congestion: (call) => events.congestion(call),
    waiting: (call) => events.waiting(call),
    missed: () => events.missed?.(),
    retired: (error: GatewayError) => events.retired(error),
    closed: (error, unsent) => events.closed(error, unsent),
  };
}

export function tapTransport(wire: Transport, tap: WireTap): Transport {
  return {
    send(message, call, scope, headers) {
      tap.sent(message, headers, call);
      return wire.send(message, call, scope, headers);
    },
    negotiated: (version) => wire.negotiated(version),
    opened: () => wire.opened(),
    close: () => wire.close(),
    get hears() {
      return wire.hears;
    },
  };
}
