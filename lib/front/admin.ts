// What operators may do with a running gateway: watch its messages, and let it drain. Loaded when the first of them asks.

import { GatewayError } from "../core/errors.ts";
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
}

const tailPath = "/admin/tail";
const drainPath = "/admin/drain";
const lineHeaders = { "content-type": "application/x-ndjson", "cache-control": "no-store", "x-accel-buffering": "no" };
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
  handle(request: HttpRequest, path: string, who: Principal): HttpReply | undefined {
    const what = path === tailPath ? "tail" : path === drainPath ? "drain" : undefined;
    if (what === undefined) return undefined;
    const method = what === "tail" ? "GET" : "POST";
    if (request.method !== method) {
      const error = new GatewayError("methodNotAllowed", `${path} does not take ${request.method}`);
      return errorReply(error, undefined, { allow: method });
    }
    const refusal = this.#refusal(request, who, what);
    if (refusal) return errorReply(refusal, undefined);
    const asked = new URLSearchParams(request.query);
    return what === "tail" ? lines(this.#audience.seat(asked)) : this.#drain(asked);
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

  #drain(asked: URLSearchParams): HttpReply {
    const machine = this.#machine;
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
