// What a link tells of what a backend says on its own.

import type { Envelope } from "../core/envelope.ts";
import type { Caller } from "./caller.ts";

/** Hears what a backend says on its own. `caller` is the call that caused it, where that is known. */
export interface PeerOf<Link> {
  notified(link: Link, envelope: Envelope, caller: Caller | undefined): void;
  /** A request of the backend; the peer answers it with `link.send`. */
  asked(link: Link, envelope: Envelope, caller: Caller | undefined): void;
  /** The backend may have said something on its own that did not come. */
  missed?(link: Link): void;
  /** Something came that is no message, or answers nothing. */
  strayed(link: Link, what: string): void;
  /** The wire is gone: nothing that the backend asked can be answered any more. */
  ended(link: Link): void;
}
