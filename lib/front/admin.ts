// What operators may do with a running gateway: watch its messages, let it drain, have its workers exchanged. Loaded when the first of them asks.

import { asGatewayError, GatewayError } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import type { Principal } from "../core/principal.ts";
import { Scope, sleep } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import type { Hub } from "../route/hub.ts";
import type { EventSink } from "./eventlog.ts";
import type { EventBody, HttpReply, HttpRequest } from "./exchange.ts";
import { errorReply } from "./reply.ts";
import { Audience, type Overheard } from "./audience.ts";

/** The gateway, as far as it is operated. */
export interface Machine extends Overheard {
  readonly hub: Hub;
  readonly inFlight: number;
  /** Takes no new calls; may be called again. */
  drain(): void;
  /** Ends the program, where it can be ended. */
  readonly stop: (() => void) | undefined;
  /** Where this process is one of several workers: begins to exchange all of them, or says how far a round of that is. */
  readonly crew: { readonly count: number; exchange(round?: number): Promise<object> } | undefined;
}

const adminPrefix = "/admin/";
const tailPath = "/admin/tail";
const drainPath = "/admin/drain";
/** POST begins an upgrade, and GET says how far it is. */
const upgradePath = "/admin/upgrade";
const lineHeaders = { "content-type": "application/x-ndjson", "cache-control": "no-store", "x-accel-buffering": "no" };
const methodsOf: Readonly<Record<string, readonly string[]>> = {
  [tailPath]: ["GET"],
  [drainPath]: ["POST"],
  [upgradePath]: ["GET", "POST"],
};
/** What a proxy on this machine adds: whoever is behind it is not here. */
const proxyHeaders = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];
const drainStepMs = 20;
/** Between two lines that say that nothing has changed. */
const drainTellMs = 1_000;
const maxWaitMs = 3_600_000;

export class Admin {
  readonly #machine: Machine;
  readonly #audience: Audience;
  /** Ends what is told of a drain. */
  readonly #scope = new Scope();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#audience = new Audience(machine);
  }

  /** Answers a request for one of these paths, or undefined for any other. */
  handle(request: HttpRequest, path: string, who: Principal): HttpReply | Promise<HttpReply> | undefined {
    const methods = methodsOf[path];
    if (!methods) return undefined;
    if (!methods.includes(request.method)) {
      const error = new GatewayError("methodNotAllowed", `${path} does not take ${request.method}`);
      return errorReply(error, undefined, { allow: methods.join(", ") });
    }
    const refusal = this.#refusal(request, who, path.slice(adminPrefix.length));
    if (refusal) return errorReply(refusal, undefined);
    const asked = new URLSearchParams(request.query);
    if (path === upgradePath) return this.#upgrade(request.method === "POST" ? undefined : Number(asked.get("round")));
    return path === tailPath ? this.#tail(asked) : this.#drain(asked);
  }

  /** Ends what is open. */
  close(): void {
    this.#audience.close();
    this.#scope.cancel(new GatewayError("draining", "the gateway is shutting down"));
  }

  /** Where nobody signs in, this machine operates itself; elsewhere a rule of the policy must say who does. */
  #refusal(request: HttpRequest, who: Principal, what: string): GatewayError | undefined {
    const { hub } = this.#machine;
    const method = `mcpctl/${what}`;
    if (hub.plan.auth) {
      if (hub.mayOperate(who, method)) return undefined;
      return new GatewayError("notOperator", `no rule of the policy allows ${who.id} the method ${method}`);
    }
    const isHere = request.isNear && proxyHeaders.every((name) => request.header(name) === undefined);
    if (!isHere || request.header("origin") !== undefined || !isLoopback(hostOf(request)))
      return new GatewayError("notOperator", `without auth, ${what} is for programs of the gateway's own machine`);
    if (hub.mayWatch(who, method)) return undefined;
    return new GatewayError("notOperator", `a rule of the policy denies the method ${method}`);
  }

  async #upgrade(round: number | undefined): Promise<HttpReply> {
    const { crew } = this.#machine;
    if (!crew) {
      const text = "this gateway has no workers to exchange: start it with --workers, or restart it";
      return errorReply(new GatewayError("invalidRequest", text), undefined);
    }
    try {
      const state = line(await crew.exchange(round));
      return lines((sink) => {
        sink.write(state);
        sink.end();
        return () => {};
      });
    } catch (error) {
      return errorReply(asGatewayError(error), undefined);
    }
  }

  #tail(asked: URLSearchParams): HttpReply {
    const { crew } = this.#machine;
    const open = this.#audience.seat(asked);
    if (!crew) return lines(open);
    // Each process hears what comes to it: who watches must not take that for all.
    return lines((sink) => {
      sink.write(line({ workers: crew.count }));
      return open(sink);
    });
  }

  #drain(asked: URLSearchParams): HttpReply {
    const machine = this.#machine;
    if (machine.crew) {
      const text =
        "one worker of several does not drain alone: SIGTERM to their supervisor drains and ends all of them";
      return errorReply(new GatewayError("invalidRequest", text), undefined);
    }
    const ends = asked.has("exit");
    if (ends && !machine.stop)
      return errorReply(new GatewayError("invalidRequest", "this gateway is a part of another program"), undefined);
    const waitMs = Math.min(Number(asked.get("wait")) || machine.hub.plan.timeouts.drainMs, maxWaitMs);
    machine.drain();
    return lines((sink) => {
      const scope = new Scope(this.#scope, waitMs);
      let isGone = false;
      void follow(machine, sink, scope).then((inFlight) => {
        if (isGone) return;
        sink.write(line({ drained: inFlight === 0, inFlight }));
        sink.end();
        if (ends) machine.stop?.();
      });
      return () => {
        isGone = true;
        scope.cancel(new GatewayError("interrupted", "nobody waits for the end of the drain"));
      };
    });
  }
}

/** Says how many calls are left, until none is or time is up. */
async function follow(machine: Machine, sink: EventSink, scope: Scope): Promise<number> {
  let told = -1;
  let toldAt = 0;
  while (machine.inFlight > 0 && !scope.cancelled) {
    if (machine.inFlight !== told || Date.now() - toldAt > drainTellMs) {
      told = machine.inFlight;
      toldAt = Date.now();
      sink.write(line({ inFlight: told }));
    }
    await sleep(drainStepMs, scope).catch(() => {});
  }
  scope[Symbol.dispose]();
  return machine.inFlight;
}

function lines(open: EventBody["open"]): HttpReply {
  return { status: 200, headers: lineHeaders, body: { open } };
}

function line(value: unknown): Uint8Array {
  return encodeText(`${JSON.stringify(value)}\n`);
}

function hostOf(request: HttpRequest): string {
  const host = request.header("host") ?? "";
  return host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.replace(/:\d+$/, "");
}
