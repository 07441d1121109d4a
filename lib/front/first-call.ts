// A call that goes straight although its request was read like any other: the first one with its head.

import type { CallStream } from "./callstream.ts";
import type { Gone, HttpReply, HttpRequest, Lane, LaneClient } from "./exchange.ts";
import { jsonReply } from "./reply.ts";

/** What becomes of the call. */
export interface Begun {
  divert(): CallStream;
}

export class FirstCall implements LaneClient, Gone {
  readonly #request: HttpRequest;
  readonly #reply = Promise.withResolvers<HttpReply>();
  readonly #lane: () => Lane;
  /** Until it is answered. */
  #call: Begun | undefined;
  /** The answer, and nothing else. */
  room: Uint8Array = nothing;

  /** `lane`: for the requests after it. */
  constructor(request: HttpRequest, lane: () => Lane) {
    this.#request = request;
    this.#lane = lane;
  }

  /** It is on its way. */
  begun(call: Begun): Promise<HttpReply> {
    this.#call = call;
    this.#request.whenGone(this);
    return this.#reply.promise;
  }

  offer(isStream: boolean = false): void {
    this.#request.offer?.(this.#lane, isStream);
  }

  get encoder(): this {
    return this;
  }

  json(bodyBytes: number): number {
    this.room = new Uint8Array(bodyBytes);
    return 0;
  }

  sent(): void {
    this.#call = undefined;
    this.offer();
    this.#reply.resolve(jsonReply(this.room));
  }

  divert(_bytes: Uint8Array, answer: (request: HttpRequest) => Promise<HttpReply>): void {
    this.offer(true);
    this.#reply.resolve(answer(this.#request));
  }

  /** Its client went away before the answer. */
  gone(): void {
    this.#call?.divert().gone();
  }
}

const nothing = new Uint8Array();
