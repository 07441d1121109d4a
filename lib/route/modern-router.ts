// Which method of a modern client goes where: the switch for requests that say everything themselves.

import { type Envelope, spanBytes, spanText } from "../core/envelope.ts";
import { encodeJson } from "../core/text.ts";
import { asGatewayError, GatewayError, hasStatus } from "../core/errors.ts";
import { faultOf } from "../core/fault.ts";
import type { Flight } from "../core/flight.ts";
import type { ListingKind } from "../core/nouns.ts";
import { anonymous } from "../core/principal.ts";
import { errorMessage, resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import type { Backend } from "../backend/backend.ts";
import { ClientCancel } from "../backend/link.ts";
import { kinds } from "../merge/catalog.ts";
import type { View } from "../merge/names.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import { inputRequiredResult, lackedCapability, readInputRetry } from "../protocol/modern-input.ts";
import { entry } from "../protocol/fields.ts";
import { type CacheHint, completeEntries } from "../protocol/modern-cache.ts";
import { metaKeys } from "../protocol/modern-meta.ts";
import type { ParamHeader } from "../protocol/modern-params.ts";
import { methodNotOffered, missingCapability } from "../protocol/modern-request.ts";
import { modernFailure } from "../protocol/modern-codes.ts";
import { modernCodec, tasksCapability } from "../protocol/modern.ts";
import type { ResultExtras } from "./answer.ts";
import type { Listings } from "./fanout.ts";
import type { Forwarder } from "./forward.ts";
import { discover, infoOf, modernCapabilities, type ServerIdentity } from "./greet.ts";
import type { Hub } from "./hub.ts";
import { Listeners } from "./listeners.ts";
import { idOf, ModernCall, type ModernFacts, sessionOf } from "./modern-call.ts";
import { nodeOf, nodeOfSplit } from "./nodes.ts";
import { OwnStates } from "./own-states.ts";
import { type Claim, claimOf } from "./parked.ts";
import type { Port } from "./outlet.ts";
import type { ActiveCall } from "./session.ts";
import type { TaskWatch } from "./task-watch.ts";
import type { Subscriptions } from "./subscribe.ts";
import { flightOf } from "./tracing.ts";

export interface ModernRoutes {
  readonly listings: Listings;
  readonly forwarder: Forwarder;
  readonly subscriptions: Subscriptions;
  readonly tasks: TaskWatch;
  readonly identity: ServerIdentity;
}

/** What is wrong with the headers of a call, by the annotations of its tool. */
export type ParamCheck = (params: readonly ParamHeader[]) => GatewayError | undefined;

/** One request of a client while it is answered. */
interface Turn {
  /** Of this request alone. */
  readonly own: Scope;
  readonly port: Port;
  readonly flight: Flight;
}

/** Sends a call on; resolves to its reply. */
type Send = (request: Envelope, call: ActiveCall) => Promise<Uint8Array>;

/** A backend that does not say that it took a log level gets the call all the same. */
const raiseMs = 1_000;

export class ModernRouter {
  readonly #hub: Hub;
  readonly #routes: ModernRoutes;
  readonly #listeners: Listeners;
  readonly #states: OwnStates;
  /** What clients were told that a view has: they ask for it, and are not to fail where it turns out to be empty. */
  readonly #promised = new Set<string>();

  constructor(hub: Hub, routes: ModernRoutes) {
    this.#hub = hub;
    this.#routes = routes;
    this.#states = new OwnStates(hub.sealer);
    this.#listeners = new Listeners(hub, routes.subscriptions, routes.tasks, routes.identity);
  }

  /**
   * Answers one request; undefined when the client took it back. `own`: of this request alone. `check`: of a tools/call
   * whose arguments are repeated elsewhere.
   */
  async request(
    request: Envelope,
    facts: ModernFacts,
    own: Scope,
    port: Port,
    check?: ParamCheck,
  ): Promise<Uint8Array | undefined> {
    const flight = flightOf(request, facts, port, this.#hub);
    let reply: Uint8Array | undefined;
    try {
      // Streams that listen have a limit of their own.
      const admission = request.method === "subscriptions/listen" ? undefined : this.#hub.admission;
      const late = admission?.ready(facts.principal);
      if (late) await late;
      admission?.enter(flight);
      if (check) await this.#check(request, facts, own, check);
      reply = await this.#dispatch(request, facts, { own, port, flight });
    } catch (error) {
      reply = this.#failed(request, error, own, port, flight);
    } finally {
      this.#hub.admission?.leave(flight);
      own[Symbol.dispose]();
    }
    this.#hub.meter?.ended(flight, flight.fault || (reply ? faultOf(reply) : "cancelled"));
    return reply;
  }

  /** The answer to a request that failed; undefined where its client took it back. */
  #failed(request: Envelope, error: unknown, own: Scope, port: Port, flight: Flight): Uint8Array | undefined {
    if (own.reason instanceof ClientCancel) return undefined;
    const failure = asGatewayError(own.cancelled ? own.reason : error);
    flight.fault = failure.code;
    flight.error = failure;
    if (hasStatus(failure)) port.challenge?.(failure);
    if (failure.code === "internal") this.#hub.observer.log("error", "gateway", failure.message, { error: failure });
    return errorMessage(spanBytes(request, "id"), modernFailure(failure));
  }

  /** The process that has what a request goes on with; undefined where any process can answer it. */
  nodeOf(request: Envelope): string | undefined {
    return nodeOf(request, this.#hub.parked, this.#states, this.#routes.tasks.names);
  }

  /** Ends the streams that listen; calls in flight go on. */
  drain(): void {
    for (const session of [...this.#hub.sessions.all()]) if (session.facts.era === "modern") session.close();
  }

  async #check(request: Envelope, facts: ModernFacts, own: Scope, check: ParamCheck): Promise<void> {
    const name = spanText(request, "params.name");
    const params = name === undefined ? undefined : await this.#routes.listings.paramsOf(sessionOf(facts), name, own);
    const wrong = params && check(params);
    if (wrong) throw wrong;
  }

  #dispatch(request: Envelope, facts: ModernFacts, turn: Turn): Promise<Uint8Array | undefined> {
    const { forwarder } = this.#routes;
    const { method = "" } = request;
    switch (method) {
      case "server/discover":
        return Promise.resolve(this.#discover(request, facts));
      case "tools/list":
        return this.#list(request, facts, turn, "tools");
      case "prompts/list":
        return this.#list(request, facts, turn, "prompts");
      case "resources/list":
        return this.#list(request, facts, turn, "resources");
      case "resources/templates/list":
        return this.#list(request, facts, turn, "resourceTemplates");
      case "tools/call":
        return this.#call(request, facts, turn, (sent, call) => forwarder.named(sent, call, "tools"));
      case "prompts/get":
        return this.#call(request, facts, turn, (sent, call) => forwarder.named(sent, call, "prompts"));
      case "resources/read":
        return this.#call(request, facts, turn, (sent, call) =>
          forwarder.resource(sent, call).then(({ reply }) => reply),
        );
      case "completion/complete":
        return this.#plain(request, facts, turn, (sent, call) => forwarder.completion(sent, call));
      case "tasks/get":
      case "tasks/update":
      case "tasks/cancel":
        return this.#task(request, facts, turn);
      case "subscriptions/listen":
        return this.#listeners.listen(request, facts, turn.port, turn.own);
      default:
        if (isRemoved(method)) throw methodNotOffered(method);
        return this.#plain(request, facts, turn, (sent, call) => forwarder.unknown(sent, call));
    }
  }

  #discover(request: Envelope, { view }: ModernFacts): Uint8Array {
    const offered = modernCapabilities(this.#hub, view);
    for (const { capability } of Object.values(kinds))
      if (offered[capability] !== undefined) this.#promised.add(promiseOf(view, capability));
    return resultMessage(idOf(request), discover(this.#hub, view, this.#routes.identity));
  }

  /** Whether a view has a capability, or was said to have it before all of its backends were up. */
  #offers(view: View, capability: string): boolean {
    return (
      this.#promised.has(promiseOf(view, capability)) || modernCapabilities(this.#hub, view)[capability] !== undefined
    );
  }

  async #list(request: Envelope, facts: ModernFacts, turn: Turn, kind: ListingKind): Promise<Uint8Array> {
    const { own, port } = turn;
    const { capability } = kinds[kind];
    if (!this.#offers(facts.view, capability)) throw methodNotOffered(request.method ?? "");
    const { listings, identity } = this.#routes;
    const meta = [entry(metaKeys.serverInfo, infoOf(facts.view, identity))];
    const extras = (cache: CacheHint): ResultExtras => ({ members: completeEntries(cache), meta });
    return await listings.reply(request, sessionOf(facts), kind, own, { query: port.query ?? "", extras });
  }

  #naming(facts: ModernFacts): ActiveCall["nameTask"] {
    return (backend, id) => this.#routes.tasks.names.expose(facts, backend, id);
  }

  /** A call whose backend asks its client nothing. */
  async #plain(request: Envelope, facts: ModernFacts, { own, port, flight }: Turn, send: Send): Promise<Uint8Array> {
    const session = sessionOf(facts);
    const call = session.start(request, own, port, flight);
    call.nameTask = this.#naming(facts);
    try {
      return flight.answered(await send(request, call));
    } finally {
      session.finish(call);
    }
  }

  /** A request about a task goes to the backend that has it. */
  async #task(request: Envelope, facts: ModernFacts, turn: Turn): Promise<Uint8Array> {
    const lacked = lackedCapability(facts.capabilities, tasksCapability);
    if (lacked) throw missingCapability(lacked, request.method ?? "");
    const span = request.spans["params.taskId"];
    const exposed = spanText(request, "params.taskId");
    if (!span || exposed === undefined) throw new GatewayError("invalidParams", "params.taskId must be a string");
    const place = this.#routes.tasks.find(facts, exposed);
    if (!place) throw new GatewayError("invalidParams", `unknown task ${JSON.stringify(exposed.slice(0, 200))}`);
    const edits = [{ span, bytes: encodeJson(place.local) }];
    return await this.#plain(request, facts, turn, (sent, call) =>
      this.#routes.forwarder.send(sent, call, { backend: place.backend, edits }),
    );
  }

  /** A call that may be answered with a request for input, and gone on with. */
  async #call(request: Envelope, facts: ModernFacts, turn: Turn, send: Send): Promise<Uint8Array | undefined> {
    const { own, port, flight } = turn;
    const id = idOf(request);
    const state = spanText(request, "params.requestState");
    const parked = state === undefined ? undefined : this.#resume(request, facts, state);
    const claim = (): Claim => claimOf(request, facts);
    // Where nobody signs in there is one principal, and a state goes to its backend as it came.
    const { cluster } = this.#hub;
    const states = facts.principal === anonymous.id && !cluster ? undefined : this.#states;
    const call = parked ?? this.#begin(states?.opened(request, claim) ?? request, facts, turn, send);
    call.joined(flight);
    const reply = await call.next(port, own);
    if (own.cancelled) throw own.reason;
    if (reply)
      return parked
        ? call.renamed(reply, id)
        : (states?.sealed(reply, claim, nodeOfSplit(this.#hub, call.backend)) ?? reply);
    const { limits, timeouts } = this.#hub.plan;
    const sealed = this.#hub.parked.park(call, claim(), { calls: limits.parked, ms: timeouts.inputMs });
    return resultMessage(id, inputRequiredResult(call.asked, sealed, infoOf(facts.view, this.#routes.identity)));
  }

  #begin(request: Envelope, facts: ModernFacts, { port, flight }: Turn, send: Send): ModernCall {
    const { parked } = this.#hub;
    const call = new ModernCall(facts, port);
    const { logLevel } = facts;
    parked.watch(call.session);
    call.begin(
      request,
      new Uint8Array(idOf(request)),
      (active) => {
        active.nameTask = this.#naming(facts);
        if (logLevel !== undefined) active.prepare = (backend) => this.#raise(call, backend, logLevel);
        return send(request, active);
      },
      () => parked.unwatch(call.session),
      flight,
    );
    return call;
  }

  /** Undefined where the state is a backend's own. */
  #resume(request: Envelope, facts: ModernFacts, state: string): ModernCall | undefined {
    const retry = readInputRetry(request);
    if (retry instanceof GatewayError) throw retry;
    const call = this.#hub.parked.take(state, claimOf(request, facts));
    call?.answer(request, facts, retry.responses);
    return call;
  }

  /** A legacy backend is told the level before the call that wants it, unless that takes too long. */
  async #raise({ session, scope }: ModernCall, backend: Backend, level: string): Promise<void> {
    const legacy = this.#hub.uplinkOf(backend, session).links.filter(({ facts }) => !facts?.modern);
    using patience = new Scope(scope, raiseMs);
    const told = Promise.all(legacy.map((link) => this.#routes.subscriptions.raise(link, level)));
    await patience.race(told).catch(() => {});
    scope.throwIfCancelled();
  }
}

function promiseOf({ backend }: View, capability: string): string {
  return `${capability} ${backend}`;
}

/** Whether the modern era has taken a method away. */
function isRemoved(method: string): boolean {
  return legacyCodec.requests.has(method) && !modernCodec.requests.has(method);
}
