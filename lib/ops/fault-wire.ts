// The wire of a backend with faults: what goes wrong with a call before the server has it, and with its answer.

import process from "node:process";
import type { MessageHeaders, SendOutcome, Transport, TransportEvents } from "../backend/transport.ts";
import { type Envelope, scan, spanNumber, spanText, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { after, type Scope, sleep } from "../core/scope.ts";
import { encodeNumber, encodeText } from "../core/text.ts";

export const faultKinds = [
  "latency",
  "resetBefore",
  "resetAfter",
  "halfClose",
  "garbage",
  "wrongId",
  "duplicate",
  "late",
  "throttle",
  "unavailable",
  "sessionLoss",
  "hang",
  "kill",
  "stop",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface FaultRule {
  readonly fault: FaultKind;
  /** Globs; by default all. */
  readonly backend: string;
  readonly tool: string;
  /** Of the calls that the globs fit. */
  readonly share: number;
  /** Of latency, late answers, Retry-After, and the time that a process is stopped for. */
  readonly delayMs: number;
}

/** A number that is no call's. */
const strayId = 2 ** 45;

/** What is done with the answer of a call. */
type Bend = (reply: Envelope, cause: number | undefined, last: boolean | undefined) => void;

/** The wire of a backend, and what it says, with faults. */
export class FaultyWire implements Transport, TransportEvents {
  readonly #backend: string;
  readonly #events: TransportEvents;
  readonly #draw: (tool: string) => FaultRule | undefined;
  readonly #bends = new Map<number, Bend>();
  #wire: Transport | undefined;
  /** Unix ms. */
  #stoppedUntil = 0;

  constructor(backend: string, events: TransportEvents, draw: (tool: string) => FaultRule | undefined) {
    this.#backend = backend;
    this.#events = events;
    this.#draw = draw;
  }

  attach(wire: Transport): void {
    this.#wire = wire;
  }

  async send(
    message: Uint8Array,
    call: number | undefined,
    scope: Scope,
    headers?: MessageHeaders,
  ): Promise<SendOutcome> {
    const wire = this.#wire;
    if (!wire) throw this.#failure("lost", "has no wire yet", false);
    const tool = call === undefined ? undefined : toolOf(message);
    const rule = tool === undefined ? undefined : this.#draw(tool);
    if (rule) await this.#before(rule, scope);
    const stoppedMs = this.#stoppedUntil - Date.now();
    if (stoppedMs > 0) await sleep(stoppedMs, scope);
    if (!rule || call === undefined) return await wire.send(message, call, scope, headers);
    const fate = Promise.withResolvers<SendOutcome>();
    const bend = this.#bendOf(rule, call, (error) => fate.reject(error));
    if (!bend) return await wire.send(message, call, scope, headers);
    this.#bends.set(call, bend);
    scope.onCancel((reason) => {
      this.#bends.delete(call);
      fate.reject(reason);
    });
    wire.send(message, call, scope, headers).then(
      // An answer that is still to be told, or never will be, is not missing yet.
      (outcome) =>
        outcome === "open" || rule.fault === "garbage" || rule.fault === "wrongId" ? fate.resolve(outcome) : undefined,
      (error: unknown) => fate.reject(error),
    );
    return await fate.promise;
  }

  /** What goes wrong before the backend has the call. */
  async #before({ fault, delayMs }: FaultRule, scope: Scope): Promise<void> {
    switch (fault) {
      case "latency":
        return await sleep(delayMs, scope);
      case "resetBefore":
        throw this.#failure("lost", "reset the connection (chaos)", true);
      case "throttle":
        throw this.#failure("unavailable", "answered with HTTP 429 (chaos)", false, {
          retryAfterMs: delayMs,
          throttled: true,
        });
      case "unavailable":
        throw this.#failure("unavailable", "answered with HTTP 503 (chaos)", false, { retryAfterMs: delayMs });
      case "sessionLoss": {
        const lost = this.#failure("sessionLost", "does not know the session any more (chaos)", false);
        this.#events.retired(lost);
        throw lost;
      }
      case "kill":
        return this.#kill();
      case "stop":
        return this.#stop(delayMs);
      case "resetAfter":
      case "halfClose":
      case "garbage":
      case "wrongId":
      case "duplicate":
      case "late":
      case "hang":
        return;
    }
  }

  /** What becomes of the answer; undefined where it comes as it is. */
  #bendOf({ fault, delayMs }: FaultRule, call: number, fail: (error: GatewayError) => void): Bend | undefined {
    const pass: Bend = ({ bytes }, cause, last) => this.#events.message(bytes, cause, last);
    switch (fault) {
      case "resetAfter":
        return () => fail(this.#failure("lost", "reset the connection before it answered (chaos)", true));
      case "halfClose":
        return () => fail(this.#failure("lost", "closed the connection in its answer (chaos)", true));
      case "garbage":
        return (_, cause) => this.#events.message(encodeText(`{"jsonrpc":"2.0","id":${call},"result":{`), cause);
      case "wrongId":
        return (reply, cause) => this.#events.message(renamed(reply), cause);
      case "duplicate":
        return (reply, cause, last) => {
          pass(reply, cause, false);
          pass(reply, cause, last);
        };
      case "late":
        return (reply, cause) => void after(delayMs, () => pass(reply, cause, false));
      case "hang":
        return () => {};
      case "latency":
      case "resetBefore":
      case "throttle":
      case "unavailable":
      case "sessionLoss":
      case "kill":
      case "stop":
        return undefined;
    }
  }

  /** A child process ends; of a server elsewhere the connections do. */
  #kill(): void {
    const pid = this.#wire?.pid;
    if (pid !== undefined) return signal(pid, "SIGKILL");
    const lost = this.#failure("lost", "was killed (chaos)", true);
    this.#events.closed(lost);
    throw lost;
  }

  /** A child process stops for a while; of a server elsewhere nothing is heard, and it hears nothing. */
  #stop(delayMs: number): void {
    const pid = this.#wire?.pid;
    if (pid !== undefined) {
      signal(pid, "SIGSTOP");
      after(delayMs, () => signal(pid, "SIGCONT"));
    } else this.#stoppedUntil = Math.max(this.#stoppedUntil, Date.now() + delayMs);
  }

  #failure(
    code: "lost" | "unavailable" | "sessionLost",
    what: string,
    sent: boolean,
    more: Readonly<Record<string, unknown>> = {},
  ): GatewayError {
    const backend = this.#backend;
    return new GatewayError(code, `backend "${backend}" ${what}`, { backend, data: { sent, ...more } });
  }

  message(bytes: Uint8Array, cause: number | undefined, last?: boolean): void {
    const scanned = this.#bends.size > 0 ? scan(bytes) : undefined;
    const reply = scanned?.kind === "message" && scanned.envelope.kind === "response" ? scanned.envelope : undefined;
    const id = reply && spanNumber(reply, "id");
    const bend = id === undefined ? undefined : this.#bends.get(id);
    if (!reply || !bend || id === undefined) return this.#events.message(bytes, cause, last);
    this.#bends.delete(id);
    bend(reply, cause, last);
  }

  paused(call: number, retryMs: number): void {
    this.#events.paused(call, retryMs);
  }
  congestion(call: number): Promise<void> | undefined {
    return this.#events.congestion(call);
  }
  waiting(call: number): boolean {
    return this.#events.waiting(call);
  }
  missed(): void {
    this.#events.missed?.();
  }
  retired(error: GatewayError): void {
    this.#events.retired(error);
  }
  closed(error: GatewayError, unsent?: ReadonlySet<number>): void {
    this.#events.closed(error, unsent);
  }
  negotiated(version: string): void {
    this.#wire?.negotiated(version);
  }
  opened(): void {
    this.#wire?.opened();
  }
  get hears(): boolean | undefined {
    return this.#wire?.hears;
  }
  async close(): Promise<void> {
    await this.#wire?.close();
  }
}

function toolOf(message: Uint8Array): string | undefined {
  const scanned = scan(message);
  if (scanned.kind !== "message" || scanned.envelope.method !== "tools/call") return undefined;
  return spanText(scanned.envelope, "params.name");
}

function renamed(reply: Envelope): Uint8Array {
  const span = reply.spans.id;
  return span ? splice(reply.bytes, [{ span, bytes: encodeNumber(strayId) }]) : reply.bytes;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, name);
  } catch {
    // It is gone.
  }
}
