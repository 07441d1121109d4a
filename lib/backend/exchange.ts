// What a connection carries: one request and its answer; who asked for it, and who takes it over.

import type { Scope, Watcher } from "../core/scope.ts";
import type { InFlight } from "./flight.ts";
import type { HttpBody, QueuedBody } from "./http1-body.ts";
import type { ResponseHead } from "./http1-head.ts";

export interface HttpReply {
  readonly status: number;
  /** Lower-case names; repeated fields joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: HttpBody;
}

/** Who asks, and hears of the answer or of why there is none. */
export interface Asker {
  replied(reply: HttpReply): void;
  failed(reason: unknown): void;
}

/** Who sends calls the straight way, and takes those that must leave it. */
export interface Carrier {
  readonly maxMessageBytes: number;
  /** The answer is to be read like any other: this hears of it. */
  diverted(flight: InFlight): Asker;
  failed(flight: InFlight, reason: unknown): void;
}

/** One request and its answer. */
export class Exchange implements Watcher {
  readonly asker: Asker;
  readonly #connection: { destroy(reason: unknown): void };
  readonly #scope: Scope;
  head: ResponseHead | undefined;
  body: QueuedBody | undefined;
  written = false;

  constructor(connection: { destroy(reason: unknown): void }, asker: Asker, scope: Scope) {
    this.#connection = connection;
    this.asker = asker;
    this.#scope = scope;
    scope.watch(this);
  }

  cancelled(reason: unknown): void {
    this.#connection.destroy(reason);
    this.body?.discard();
  }

  release(): void {
    this.#scope.unwatch(this);
  }
}

const jsonType = /^application\/json[ \t]*(?:;|$)/i;

/** A head whose answer can be taken the straight way. */
export function isPlain({ status, keepAlive, headers }: ResponseHead): boolean {
  return status === 200 && keepAlive && jsonType.test(headers.get("content-type") ?? "");
}
