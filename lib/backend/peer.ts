// Who a link speaks for, and who hears what its backend says.

import type { Envelope } from "../core/envelope.ts";
import type { Link } from "./link.ts";

/** Who waits for the answer of a call, and hears what comes before it. */
export interface Caller {
  /** Identity of the client session that the call belongs to. */
  readonly session: object;
  /** A message of this call: before its reply, or of the task that it created after it. */
  deliver(message: Uint8Array): void;
  /** The backend wants the call to be polled: it will go on in `retryMs`. */
  paused?(retryMs: number): void;
  /** The call became a task; said before anything that comes after its reply is. */
  created?(backend: string, taskId: string): void;
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

/** Hears what a backend says on its own. `caller` is the call that caused it, where that is known. */
export interface LinkPeer {
  notified(link: Link, envelope: Envelope, caller: Caller | undefined): void;
  /** A request of the backend; the peer answers it with `link.send`. */
  asked(link: Link, envelope: Envelope, caller: Caller | undefined): void;
  /** Something came that is no message, or answers nothing. */
  strayed(link: Link, what: string): void;
  /** The wire is gone: nothing that the backend asked can be answered any more. */
  ended(link: Link): void;
}
