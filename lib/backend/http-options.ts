// What a wire to a server over HTTP is opened with, in either of its transports.

import type { HttpReplicaPlan } from "../config/plan.ts";
import type { Scope } from "../core/scope.ts";
import type { Credential } from "./shown.ts";
import type { Transport } from "./transport.ts";

export interface HttpOptions {
  readonly backend: string;
  readonly replica: HttpReplicaPlan;
  readonly connectMs: number;
  /** What is shown to the server. */
  readonly credential?: Credential | undefined;
  readonly maxMessageBytes: number;
  readonly stray: (what: string) => void;
  /** Opens the same address over HTTP+SSE; absent where that is not to be tried. */
  readonly older?: ((scope: Scope) => Promise<Transport>) | undefined;
  /** Called where a server that spoke the legacy era turns out to be a modern one now. */
  readonly changed?: (() => void) | undefined;
  /** Hears the head of every answer to a message. */
  readonly answered?:
    | ((status: number, headers: ReadonlyMap<string, string>, call: number | undefined) => void)
    | undefined;
}
