// A client's session: what it declared, its calls in flight, and where messages of no call go. A modern client has one for
// each of its requests.

import type { Backend } from "../backend/backend.ts";
import type { Caller } from "../backend/link.ts";
import { ClientCancel } from "../backend/link.ts";
import type { Edit, Envelope } from "../core/envelope.ts";
import { spanKey, spanText, spanValue } from "../core/envelope.ts";
import { type GatewayError, hasStatus } from "../core/errors.ts";
import { Flight } from "../core/flight.ts";
import type { PartSink } from "../core/part.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import { after, type Scope } from "../core/scope.ts";
import { asRecord, encodeJson } from "../core/text.ts";
import type { View } from "../merge/names.ts";
import type { Era } from "../protocol/codec.ts";
import { Asks } from "./asks.ts";
import { type Claim, unclaimed } from "./claim.ts";
import type { Outlet, Port } from "./outlet.ts";
import type { TaskOwners } from "./task-owners.ts";

export interface SessionFacts {
  /** Unique; links of `isolation: session` are keyed by it. Empty for a modern client. */
  readonly key: string;
  readonly principal: string;
  /** Negotiated revision. */
  readonly version: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly client: string;
  readonly view: View;
  readonly era: Era;
}

/** Who looks, and at what: a session, or a client that has none and an empty key. */
export interface Viewer {
  readonly facts: Pick<SessionFacts, "key" | "principal" | "capabilities" | "view" | "era">;
}

export interface Subscription {
  readonly backend: string;
  /** URI at the backend. */
  readonly local: string;
  /** False until the backend has agreed. */
  readonly isOpen: boolean;
}

/** One call in flight; after its reply, what still comes for it (progress of a task) goes to the session's outlet. */
export class ActiveCall implements Caller, Viewer {
  readonly session: Session;
  /** Who sent it, and what they see: of one session's requests each may show something else. */
  who: Principal;
  facts: SessionFacts;
  readonly scope: Scope;
  /** The client's id, as it wrote it. */
  readonly key: string;
  readonly flight: Flight;
  /** How its client knows the tasks of modern backends; undefined where it knows of none. */
  nameTask: ((backend: string, id: string) => string) | undefined;
  /** What is to be done at a backend before it gets the call. */
  prepare: ((backend: Backend) => Promise<void>) | undefined;
  #port: Port | undefined;
  #isTask = false;
  /** Until others know whose the task is that it became. */
  noting: Promise<void> | undefined;
  /** What a backend asked for and the client did not declare. */
  lacked: Readonly<Record<string, unknown>> | undefined;

  constructor(session: Session, key: string, scope: Scope, port: Port, flight: Flight = new Flight(key)) {
    this.session = session;
    this.who = session.who;
    this.facts = session.facts;
    this.key = key;
    this.flight = flight;
    this.flight.principal = this.facts.principal;
    this.scope = scope;
    this.#port = port;
  }

  get principal(): string {
    return this.facts.principal;
  }

  get sessionKey(): string {
    return this.facts.key;
  }

  get capabilities(): Readonly<Record<string, unknown>> {
    return this.session.facts.capabilities;
  }

  get era(): Era {
    return this.facts.era;
  }

  get logLevel(): string | undefined {
    return this.session.level;
  }

  get parts(): PartSink | undefined {
    return this.#isTask ? undefined : this.#port?.parts;
  }

  deliver(message: Uint8Array): void {
    // In another turn, and so after the reply that creates the task: that one is still on its way.
    if (this.#isTask && this.#port) after(0, () => this.session.outlet.send(message));
    else if (this.#port) this.#port.deliver(message);
    else this.session.outlet.send(message);
  }

  get congestion(): Promise<void> | undefined {
    return this.#port?.congestion;
  }

  header(name: string): string | undefined {
    return this.#port?.header?.(name);
  }

  get query(): string {
    return this.#port?.query ?? "";
  }

  get isAway(): boolean {
    return this.#port?.isAway === true;
  }

  /** Whether a modern client's call can be answered with a request for input. */
  get canAsk(): boolean {
    return this.#port?.ask !== undefined;
  }

  /** A request of the backend to the client, or the end of one. */
  ask(message: Uint8Array): void {
    if (this.#port?.ask) this.#port.ask(message);
    else this.deliver(message);
  }

  challenge(failure: GatewayError): void {
    this.flight.code = failure.row.id;
    this.flight.fault = failure.code;
    this.flight.error = failure;
    this.flight.failed = true;
    if (hasStatus(failure)) this.#port?.challenge?.(failure);
  }

  paused(retryMs: number): void {
    this.#port?.pause?.(retryMs);
  }

  /** The client may be sent elsewhere, and is told when it is done there: nobody else is. */
  refused(backend: string, reply: Envelope): void {
    const { code, data } = asRecord(spanValue(reply, "error"));
    const { elicitations } = asRecord(data);
    if (code !== elicitationRequiredCode || !Array.isArray(elicitations)) return;
    for (const each of elicitations) this.session.expectElicitation(backend, asRecord(each)["elicitationId"]);
  }

  /** Which backend a task of the modern era is at is a part of its name, so that nobody needs to remember it. */
  renamed(backend: string, reply: Envelope): readonly Edit[] {
    const span = reply.spans["result.taskId"];
    const id = this.nameTask ? spanText(reply, "result.taskId") : undefined;
    return span && this.nameTask && id !== undefined ? [{ span, bytes: encodeJson(this.nameTask(backend, id)) }] : [];
  }

  /** The call became a task, which belongs to its client. */
  created(backend: string, taskId: string): void {
    this.session.noteTask(backend, taskId);
    this.noting = this.session.taskOwners?.note(backend, taskId, this.principal);
    this.#isTask = true;
  }

  noted(what: string, isFailure: boolean = false): void {
    this.flight.note(what);
    if (isFailure) this.flight.failed = true;
  }

  /** It ended at `now`, Unix ms. */
  finish(now: number): void {
    if (this.scope.cancelled && !this.flight.failed) this.noted("its client took it back, or went away", true);
    this.flight.end(now);
    this.#port = undefined;
  }
}

const elicitationRequiredCode = -32042;
const maxElicitations = 1000;
const maxTasks = 10_000;

export class Session {
  /** As its latest request has them: what a modern client declares, and what may be seen, can change. */
  facts: SessionFacts;
  readonly outlet: Outlet;
  readonly asks: Asks;
  /** By exposed URI. */
  readonly subscriptions: Map<string, Subscription> = new Map();
  /** Tasks that the client created, by id, with their backend. */
  readonly tasks: Map<string, string> = new Map();
  /** Elicitations by URL that this client was sent to; the oldest is dropped. */
  readonly #elicitations = new Set<string>();
  readonly #calls = new Map<string, ActiveCall>();
  /** Least severe level that the client wants. */
  level: string | undefined;
  /** Who sent the last request; always the principal of the facts. */
  who: Principal = anonymous;
  usedAt: number = Date.now();
  /** The sealed id that the client sends; empty until it has. */
  id = "";
  /** The process that has its stream, where that is another one. */
  home: string | undefined;
  /** The last that any process has said of having its stream. */
  claim: Claim = unclaimed;
  /** How often its client has left its stream here. */
  departures = 0;
  /** While other processes are asked about it; resolves to whether it goes on. */
  joining: Promise<boolean> | undefined;

  /** Those of all sessions; undefined for one that makes no task of the legacy era. */
  readonly taskOwners: TaskOwners | undefined;

  /** `node`: this process, where there are others. */
  constructor(facts: SessionFacts, outlet: Outlet, node: string = "", taskOwners?: TaskOwners) {
    this.facts = facts;
    this.outlet = outlet;
    this.taskOwners = taskOwners;
    this.asks = new Asks(node);
  }

  get connected(): boolean {
    return this.outlet.connected;
  }

  get callCount(): number {
    return this.#calls.size;
  }

  /** Another request of its principal came: what was shown, and so what may be seen, may be more or less than before. */
  renew(who: Principal, view: View): void {
    this.who = who;
    if (view.grants !== this.facts.view.grants) this.facts = { ...this.facts, view };
  }

  start(request: Envelope, scope: Scope, port: Port, flight?: Flight): ActiveCall {
    return this.add(new ActiveCall(this, spanKey(request, "id"), scope, port, flight));
  }

  /** A call that has been sent already. */
  add(call: ActiveCall): ActiveCall {
    this.#calls.set(call.key, call);
    return call;
  }

  finish(call: ActiveCall): void {
    this.usedAt = Date.now();
    call.finish(this.usedAt);
    if (this.#calls.get(call.key) === call) this.#calls.delete(call.key);
  }

  /** A task is of the session; `backend` is who made it. */
  noteTask(backend: string, id: string): void {
    this.tasks.set(id, backend);
    const [oldest] = this.tasks.keys();
    if (this.tasks.size > maxTasks && oldest !== undefined) this.tasks.delete(oldest);
  }

  /** The client was asked to open a URL, and may be told later that the user is done there. */
  expectElicitation(backend: string, id: unknown): void {
    if (typeof id !== "string") return;
    this.#elicitations.add(JSON.stringify([backend, id]));
    const [oldest] = this.#elicitations;
    if (this.#elicitations.size > maxElicitations && oldest !== undefined) this.#elicitations.delete(oldest);
  }

  /** True once for an elicitation of the session that is complete. */
  completeElicitation(backend: string, id: unknown): boolean {
    return this.#elicitations.delete(JSON.stringify([backend, id]));
  }

  /** The client takes a call back; an unknown id is ignored (2025-11-25, Cancellation, "Error Handling"), and false. */
  cancel(notice: Envelope): boolean {
    const call = this.#calls.get(spanKey(notice, "params.requestId"));
    call?.scope.cancel(new ClientCancel(notice));
    return call !== undefined;
  }

  close(): void {
    for (const call of this.#calls.values()) call.scope.cancel(new ClientCancel());
    this.asks.close();
    this.outlet.close();
  }
}

/** What the backends have agreed to; what is being asked for is its caller's. */
export function openOf({ subscriptions }: Session): readonly string[] {
  return [...subscriptions].flatMap(([exposed, { isOpen }]) => (isOpen ? [exposed] : []));
}
