// Who a link speaks for.

import type { Edit, Envelope } from "../core/envelope.ts";
import type { Flight } from "../core/flight.ts";
import type { PartSink } from "../core/part.ts";
import type { Era } from "../protocol/codec.ts";

/** Who waits for the answer of a call, and hears what comes before it. */
export interface Caller {
  /** Identity of the client session that the call belongs to. */
  readonly session: object;
  /** Who is calling; its links' owner where it is absent. */
  readonly principal?: string;
  /** Names the session wherever it is served. */
  readonly sessionKey?: string;
  /** A header of the client's request, by its lower-case name. */
  header?(name: string): string | undefined;
  /** Something was decided about the call; for the record. `isFailure`: it has failed. */
  noted?(what: string, isFailure?: boolean): void;
  /** What is noted of it: when a backend had it, and who records it. */
  readonly flight?: Flight;
  /** Era of the client; legacy where it is absent. */
  readonly era?: Era;
  /** What the client declared, and the least severe log level that it asked for: modern backends hear it with each call. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  readonly logLevel?: string | undefined;
  /** A message of this call: before its reply, or of the task that it created after it. */
  deliver(message: Uint8Array): void;
  /** Takes those before the reply that are not made yet; undefined where `deliver` takes them all. */
  readonly parts?: PartSink | undefined;
  /** Resolves when the caller, who is behind, takes more; undefined where it keeps up. */
  readonly congestion?: Promise<void> | undefined;
  /** The backend wants the call to be polled: it will go on in `retryMs`. */
  paused?(retryMs: number): void;
  /** The backend answered with an error; said before the reply. */
  refused?(backend: string, reply: Envelope): void;
  /** What changes in a modern server's reply that names a task, which clients know by another name. */
  renamed?(backend: string, reply: Envelope): readonly Edit[];
  /** The call became a task; said before anything that comes after its reply is. */
  created?(backend: string, taskId: string): void;
}

/** Hears that something came of a call before its answer. */
export interface SignListener {
  heard(): void;
  /** The backend asked the client something. */
  asked(): void;
}

/** Why a call was cancelled, when its client did it. */
export class ClientCancel extends Error {
  /** The client's `notifications/cancelled`, if it sent one. */
  readonly notice: Envelope | undefined;
  constructor(notice?: Envelope) {
    super("the client cancelled the call");
    this.notice = notice;
  }
}
