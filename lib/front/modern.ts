// Streamable HTTP for modern clients: each POST says everything itself, and its headers repeat what its body says.

import { type Envelope, spanBytes } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { Scope } from "../core/scope.ts";
import type { View } from "../merge/names.ts";
import { judgeModern, type ModernRequest } from "../protocol/modern-request.ts";
import { checkParamHeaders } from "../protocol/modern-params.ts";
import type { Hub } from "../route/hub.ts";
import type { ModernFacts } from "../route/modern-call.ts";
import type { ModernRouter } from "../route/modern-router.ts";
import { passOr } from "./elsewhere.ts";
import type { HttpReply, HttpRequest, Relay } from "./exchange.ts";
import { ModernStream } from "./modern-stream.ts";
import { emptyReply, errorReply } from "./reply.ts";

/** For requests that were cut at the end to be answered. */
const farewellMs = 1_000;
const shuttingDown = (): GatewayError => new GatewayError("draining", "the gateway is shutting down");

export class ModernFront {
  readonly #hub: Hub;
  readonly #router: ModernRouter;
  readonly #open = new Map<ModernStream, Promise<void>>();
  /** Those that only listen: nobody waits for them at the end. */
  #listening = 0;
  /** The way to other processes, where there are any. */
  relay: Relay | undefined;
  #state: "open" | "draining" | "closed" = "open";

  constructor(hub: Hub, router: ModernRouter) {
    this.#hub = hub;
    this.#router = router;
  }

  get inFlight(): number {
    return this.#open.size - this.#listening;
  }

  /** Answers a message that claims to be modern. */
  handle(http: HttpRequest, message: Envelope, who: Principal, view: View): HttpReply | Promise<HttpReply> {
    switch (message.kind) {
      case "notification":
        // The one that a client may send takes back a stream, which its end does too.
        return emptyReply(202);
      case "response":
        return errorReply(
          new GatewayError("invalidRequest", "a modern client answers with its next request"),
          undefined,
        );
      case "request":
        break;
    }
    const verdict = judgeModern(message, (name) => http.header(name));
    if (verdict.kind === "refused") return errorReply(verdict.error, spanBytes(message, "id"));
    if (this.#state !== "open") return errorReply(shuttingDown(), spanBytes(message, "id"));
    const node = this.relay && !http.isRelayed ? this.#router.nodeOf(message) : undefined;
    if (!this.relay || node === undefined || node === this.relay.node)
      return this.#here(http, message, verdict.request, who, view);
    const here = (): Promise<HttpReply> => this.#here(http, message, verdict.request, who, view);
    return passOr(this.relay, node, http, who, here, message.bytes);
  }

  #here(http: HttpRequest, message: Envelope, request: ModernRequest, who: Principal, view: View): Promise<HttpReply> {
    const facts = factsOf(request, who, view);
    const stream = new ModernStream(http);
    const isListening = request.method === "subscriptions/listen";
    if (isListening) this.#listening += 1;
    const done = this.#answer(http, message, facts, stream).finally(() => {
      this.#open.delete(stream);
      if (isListening) this.#listening -= 1;
    });
    this.#open.set(stream, done);
    return stream.response;
  }

  async #answer(http: HttpRequest, message: Envelope, facts: ModernFacts, stream: ModernStream): Promise<void> {
    const check = message.method === "tools/call" ? this.#checkParams(http, message) : undefined;
    stream.reply(await this.#router.request(message, facts, stream.scope, stream, check));
  }

  /** The headers of parameters are checked where the tool is known (2026-07-28, Streamable HTTP, "Server Validation"). */
  #checkParams(http: HttpRequest, message: Envelope): Parameters<ModernRouter["request"]>[4] {
    return (params) => checkParamHeaders(params, message, (name) => http.header(name));
  }

  /** Takes no new requests and ends the streams that only listen. */
  drain(): void {
    this.#state = "draining";
    this.#router.drain();
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#hub.parked.close();
    for (const stream of this.#open.keys()) stream.stop(shuttingDown());
    using patience = new Scope(undefined, farewellMs);
    await patience.race(Promise.all(this.#open.values())).catch(() => {});
  }

  keepAlive(silentMs: number): void {
    for (const stream of this.#open.keys()) stream.keepAlive(silentMs);
  }
}

/** What the router needs to know of who asks. */
export function factsOf(request: ModernRequest, who: Principal, view: View): ModernFacts {
  const { version, capabilities, clientInfo, logLevel } = request;
  const name = clientInfo?.["name"];
  return {
    principal: who.id,
    who,
    version,
    capabilities,
    client: typeof name === "string" ? name.slice(0, 100) : "",
    view,
    logLevel,
  };
}
