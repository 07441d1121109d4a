// Where modern clients come in over HTTP: what serves them is half of the program, and is loaded with the first of them.

import type { Envelope } from "../core/envelope.ts";
import type { Principal } from "../core/principal.ts";
import type { View } from "../merge/names.ts";
import type { Hub } from "../route/hub.ts";
import type { ModernRouter } from "../route/modern-router.ts";
import type { HttpReply, HttpRequest, Relay } from "./exchange.ts";
import type { ModernFront } from "./modern.ts";
import { emptyReply } from "./reply.ts";

/** Gives the same one each time. */
export type LoadRouter = () => Promise<ModernRouter>;

export class ModernDoor {
  readonly #hub: Hub;
  readonly #loadRouter: LoadRouter;
  #loading: Promise<ModernFront> | undefined;
  #front: ModernFront | undefined;
  #isDraining = false;
  /** The way to other processes, where there are any; there before the first client. */
  relay: Relay | undefined;

  constructor(hub: Hub, loadRouter: LoadRouter) {
    this.#hub = hub;
    this.#loadRouter = loadRouter;
  }

  get inFlight(): number {
    return this.#front?.inFlight ?? 0;
  }

  /** Answers a message that claims to be modern. */
  handle(http: HttpRequest, message: Envelope, who: Principal, view: View): HttpReply | Promise<HttpReply> {
    return this.#front ? this.#front.handle(http, message, who, view) : this.#handleLater(http, message, who, view);
  }

  /** Takes no new requests; those in flight go on. */
  drain(): void {
    this.#isDraining = true;
    this.#front?.drain();
  }

  async close(): Promise<void> {
    await this.#front?.close();
  }

  keepAlive(silentMs: number): void {
    this.#front?.keepAlive(silentMs);
  }

  async #handleLater(http: HttpRequest, message: Envelope, who: Principal, view: View): Promise<HttpReply> {
    let isGone = false;
    http.whenGone(() => (isGone = true));
    this.#loading ??= this.#load();
    const front = await this.#loading;
    return isGone ? emptyReply(202) : await front.handle(http, message, who, view);
  }

  async #load(): Promise<ModernFront> {
    const [{ ModernFront }, router] = await Promise.all([import("./modern.ts"), this.#loadRouter()]);
    this.#front = new ModernFront(this.#hub, router);
    this.#front.relay = this.relay;
    if (this.#isDraining) this.#front.drain();
    return this.#front;
  }
}
