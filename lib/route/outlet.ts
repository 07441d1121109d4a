// Where messages go: those of a session that belong to no call, and those of one call before its reply.

import type { GatewayError } from "../core/errors.ts";
import type { PartSink } from "../core/part.ts";

/** Where the messages of a session go that belong to no call: a GET stream, or stdout. */
export interface Outlet {
  /** True while the client listens. */
  readonly connected: boolean;
  send(message: Uint8Array): void;
  close(): void;
  /** Where the stream of a session is at another process: takes a message for it; false where it is here after all. */
  elsewhere?: ((message: Uint8Array) => boolean) | undefined;
  /** Called where the client leaves its stream. */
  left?: (() => void) | undefined;
  /** Ends the connections and not the stream: the client is to come back in `retryMs`. */
  pause?(retryMs: number): void;
  /** What the client has not got behind the event of this id, and will not get from here. */
  surrender?(lastEventId: string | undefined): readonly Uint8Array[];
}

/** Where the messages of one call go before its reply. */
export interface Port {
  deliver(message: Uint8Array): void;
  /** Takes messages that are not made yet, from here on to the reply. */
  readonly parts?: PartSink | undefined;
  /** Resolves when the client, which is behind, takes more; undefined where it keeps up. */
  readonly congestion?: Promise<void> | undefined;
  /** The query of the endpoint's address as the client wrote it; empty where it has none. */
  readonly query?: string;
  /** A header of the client's request, by its lower-case name. */
  header?(name: string): string | undefined;
  /** The call failed for a reason that HTTP has a status for; the reply follows. */
  challenge?(failure: GatewayError): void;
  /** The backend ended its stream and wants to be asked again in `retryMs`; a front that can do so hands this on. */
  pause?(retryMs: number): void;
  /** A request of the backend to the client, or its end, where such requests do not go the way of other messages. */
  ask?(message: Uint8Array): void;
  /** True while the client thinks about what it was asked, and hears nothing. */
  readonly isAway?: boolean;
}
