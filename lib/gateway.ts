// The composition root: puts hub, router, backends and fronts together, reloads, drains; features.ts loads the rest.

import type { Backend } from "./backend/backend.ts";
import { drain, nextTopology, type TopologyChange } from "./backend/registry.ts";
import { createBackend } from "./backends.ts";
import type { BackendPlan, Plan } from "./config/plan.ts";
import type { GatewayError } from "./core/errors.ts";
import type { Observer } from "./core/observer.ts";
import type { Auditing } from "./auditing.ts";
import type { Observing } from "./observing.ts";
import { Operating } from "./operating.ts";
import { required } from "./core/required.ts";
import { Scope, sleep } from "./core/scope.ts";
import { anonymous, type Principal } from "./core/principal.ts";
import { preflight, share } from "./front/cors.ts";
import type { Clustering } from "./clustering.ts";
import type { Wire } from "./core/wire.ts";
import type { Supervisor } from "./crew.ts";
import type { Answer, HttpReply, HttpRequest } from "./front/exchange.ts";
import { type Features, loadFeatures } from "./features.ts";
import type { Gate, Route } from "./front/gate.ts";
import { isStale, type Judge } from "./front/judged.ts";
import { refuseForeign } from "./front/guard.ts";
import { HttpFront } from "./front/http.ts";
import { plainPath, viewAt } from "./front/place.ts";
import { errorReply } from "./front/reply.ts";
import type { SseFront } from "./front/sse-front.ts";
import { type Health, Status } from "./front/status.ts";
import type { StdioFront } from "./front/stdio.ts";
import type { Enter } from "./front/tap.ts";
import type { Tenures } from "./front/tenure.ts";
import type { Faults } from "./ops/faults.ts";
import type { Arrival } from "./arrivals.ts";
import type { LockKeeper } from "./lock.ts";
import type { SignIn } from "./sign-in.ts";
import type { Lock } from "./merge/lock.ts";
import type { View } from "./merge/names.ts";
import type { ServerIdentity } from "./route/greet.ts";
import { Hub } from "./route/hub.ts";
import type { ModernRouter } from "./route/modern-router.ts";
import { Router } from "./route/router.ts";

export interface GatewayOptions {
  readonly plan: Plan;
  readonly version: string;
  readonly observer: Observer;
  /** Faults on purpose. */
  readonly faults?: Faults | undefined;
  /** Ends the program that the gateway is; absent where it is a part of another one. */
  readonly stop?: (() => void) | undefined;
  /** Where this process is one of several workers of the same program. */
  readonly supervisor?: Supervisor | undefined;
}

const endpoint = "/mcp";
const name = "mcpctl";
/** Between two looks at whether the last call has ended. */
const drainStepMs = 20;

export class Gateway {
  readonly #hub: Hub;
  readonly #router: Router;
  #modern: Promise<ModernRouter> | undefined;
  readonly #front: HttpFront;
  #sse: SseFront | undefined;
  readonly #status: Status;
  #lock: LockKeeper | undefined;
  #features: Features;
  readonly #options: GatewayOptions;
  readonly #startedAt = Date.now();
  readonly #draining = new Set<Promise<void>>();
  /** Heads of requests that came to an allowed host, and not from a page. */
  #welcome = new WeakSet<object>();
  /** Absent where nothing is written down. */
  #auditing: Auditing | undefined;
  /** What is counted, and who looks at it; undefined where nothing is. */
  readonly observing: Observing | undefined;
  /** Absent where nobody signs in to anything. */
  #signIn: SignIn | undefined;
  readonly #stdio = new Set<StdioFront>();
  /** Absent until somebody listens. */
  #tenures: Tenures | undefined;
  /** The other processes of the gateway; undefined where this one is alone. */
  readonly clustering: Clustering | undefined;
  readonly #operating: Operating;
  readonly #plainly: Enter = (request, view, who) => this.#front.handle(request, view, who);
  #enter: Enter = this.#plainly;
  /** Absent where everybody may come in. */
  #gate: Gate | undefined;
  #address: string | undefined;

  /** Loads what the plan asks for, and starts connecting to all backends, in the background and in parallel. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const { plan, supervisor } = options;
    const features = await loadFeatures(plan, supervisor !== undefined);
    // Where the config names a place to meet, workers meet there, with those of other machines.
    const wire = plan.cluster ? await features.clustering?.engineAt(plan.cluster) : supervisor?.wire;
    const gateway = new Gateway(options, features, wire);
    // The first client should find the others there.
    await gateway.clustering?.reached();
    return gateway;
  }

  private constructor(options: GatewayOptions, features: Features, wire: Wire | undefined) {
    const crew = options.supervisor?.crew;
    this.#options = options;
    this.#features = features;
    this.#hub = new Hub(options.plan, options.observer);
    this.#router = new Router(this.#hub);
    this.#front = new HttpFront({ ...this.#routes, modern: () => this.#modernRouter() });
    this.#status = new Status(this.#hub, this.#router.listings, options.version, options.faults, crew);
    this.observing = features.observing && new features.observing.Observing(this.#routes, () => this.#inFlight, crew);
    this.#operating = new Operating(this.#hub, this.#status, this.observing, options.stop, {
      crew,
      inFlight: () => this.#inFlight,
      drain: () => this.drain(),
      listen: (wrap) => (this.#enter = wrap ? wrap(this.#plainly) : this.#plainly),
    });
    const about = { ...this.#routes, observer: options.observer, receive: this.#route };
    this.clustering = wire && new (required(features.clustering).Clustering)({ wire, ...about });
    this.#status.cluster = this.clustering;
    this.#front.modern.relay = this.clustering?.relay;
    this.#put(options.plan);
  }

  get plan(): Plan {
    return this.#hub.plan;
  }

  get #routes(): { hub: Hub; router: Router; identity: ServerIdentity; again: Judge } {
    const identity = { name, version: this.#options.version };
    return { hub: this.#hub, router: this.#router, identity, again: (request) => this.handle(request) };
  }

  /** Puts a new plan in place: unchanged backends keep their links, removed ones finish their calls. */
  async apply(plan: Plan): Promise<void> {
    const { renewClients } = await import("./reload.ts");
    this.#features = await loadFeatures(plan, this.#options.supervisor !== undefined);
    // Backends that came after the end would have nobody who closes them.
    if (this.#status.draining) return;
    const { plan: before } = this.#hub;
    const change = this.#put(plan);
    renewClients({ hub: this.#hub, router: this.#router, tenures: this.#tenures }, before, change);
    if (change.removed.length === 0) return;
    const done = drain(change.removed, plan.timeouts.drainMs).finally(() => this.#draining.delete(done));
    this.#draining.add(done);
  }

  #put(plan: Plan): TopologyChange {
    this.#signIn = this.#features.signIn?.keepSignIn(this.#signIn, this.#hub, this.#options.observer);
    const around = { ...this.#options, router: this.#router, meter: this.observing?.meter, signIn: this.#signIn };
    const create = (backend: BackendPlan): Backend => createBackend(backend, plan, around);
    const change = nextTopology(this.#hub.topology, plan.backends, create);
    this.#hub.replace(plan, change.topology, this.#features);
    this.#welcome = new WeakSet();
    this.observing?.apply(this.#features.tracing);
    const { auditing, lock, sse } = this.#features;
    if (auditing) this.#auditing ??= new auditing.Auditing(this.#hub.observer, this.#hub.flights);
    this.#auditing?.apply(plan);
    this.#guard();
    if (sse) this.#sse ??= new sse.SseFront({ ...this.#routes, relay: this.clustering?.relay });
    if (!plan.front.sse) this.#sse?.end();
    if (lock) this.#lock ??= new lock.LockKeeper(this.#hub, this.#router.listings);
    this.#lock?.apply(plan.lock);
    return change;
  }

  /** Says where the gateway listens: without `publicUrl`, tokens are made for that address. */
  listensAt(url: URL): void {
    this.#address = url.origin;
    this.#guard();
  }

  #guard(): void {
    const { plan, observer } = this.#hub;
    const { gate } = this.#features;
    const witness = this.observing?.witness(this.#auditing) ?? this.#auditing;
    this.#gate = plan.auth && required(gate).openGate(plan, observer, this.#address, witness, this.#signIn?.shows);
    this.#signIn?.apply(plan, plan.publicUrl ?? this.#address, this.#gate);
  }

  handle(request: HttpRequest): Answer {
    request.judgedBy = this.#hub.plan;
    if (this.#welcome.has(request.head)) return this.#answer(request);
    const { listen, allowedHosts, allowedOrigins, publicUrl } = this.#hub.plan;
    // Its own pages are no strangers.
    const own = publicUrl === undefined ? allowedOrigins : [...allowedOrigins, new URL(publicUrl).origin];
    const foreign = refuseForeign(request, { host: listen.host, allowedHosts, allowedOrigins: own });
    const early = foreign ? errorReply(foreign, undefined) : preflight(request);
    if (early) return early;
    const answer = this.#answer(request);
    if (request.header("origin") === undefined) {
      this.#welcome.add(request.head);
      return answer;
    }
    return answer instanceof Promise ? answer.then((late) => share(request, late)) : share(request, answer);
  }

  #answer(request: HttpRequest): Answer {
    const path = plainPath(request);
    const page = this.#signIn?.handle(request, path);
    if (page) return page;
    // The page itself is open: what it shows is not.
    if (path === "/" && (request.method === "GET" || request.method === "HEAD")) return this.#operating.page();
    return this.#gate ? this.#gate.pass(request, path, this.#route) : this.#route(request, path, anonymous);
  }

  /** Nobody is known only where a path is open to strangers. */
  readonly #route: Route = (request, path, who) => {
    // Whoever sent it was looked up meanwhile.
    if (isStale(request, this.#hub)) return this.handle(request);
    if (who && request.method === "GET") return this.#get(request, path, who);
    return this.#pass(request, path, who, who && viewAt(this.#hub, endpoint, path, who));
  };

  #pass(request: HttpRequest, path: string, who: Principal | undefined, view: View | undefined): Answer {
    if (who && view) return this.#enter(request, view, who);
    return (who && this.#sse?.handle(request, path, who)) ?? this.#operating.answer(request, path, who);
  }

  /** Streams that listen are opened by GET; what bounds them is loaded with the first. */
  async #get(request: HttpRequest, path: string, who: Principal): Promise<HttpReply> {
    const { Tenures } = await import("./front/tenure.ts");
    if (isStale(request, this.#hub)) return await this.handle(request);
    this.#tenures ??= new Tenures();
    const view = viewAt(this.#hub, endpoint, path, who);
    const sight = this.#operating.sightOf(path, who);
    const stays = sight === undefined ? undefined : () => this.#operating.sightOf(path, who) === sight;
    const terms = { who, most: this.#hub.plan.limits.streams, isCounted: !request.isRelayed, stays };
    const answer = (): Answer => this.#pass(request, path, who, view);
    return await this.#tenures.listen(request, terms, view !== undefined, answer);
  }

  /** How the backends are once each of them has come up or failed, or after `patienceMs`. */
  async settled(patienceMs: number): Promise<Health> {
    const { settledIn } = await import("./arrivals.ts");
    await settledIn(this.#hub, this.#status, ({ state }) => state.kind !== "connecting", patienceMs);
    return await this.#status.health();
  }

  /** The same, and with how many tools; those that are up may list them meanwhile. */
  async arrivals(patienceMs: number): Promise<readonly Arrival[]> {
    const { arrivalsIn } = await import("./arrivals.ts");
    return await arrivalsIn(this.#hub, this.#status, this.#router.listings, this.#startedAt, patienceMs);
  }

  /** The lock of all tools as they are now, whatever the lock file says, and why those of some backends are missing. */
  async computeLock(outer?: Scope): Promise<{ readonly lock: Lock; readonly missing: readonly GatewayError[] }> {
    return await (await import("./lock.ts")).lockOf(this.#hub, this.#router.listings, outer);
  }

  /** The same gateway on a pair of streams; resolves when the input ends. */
  async serveStdio(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<void> {
    const view = (): View => this.#hub.whole(anonymous);
    // Requests come one after another: none must overtake another because it is the first of its era.
    const [{ StdioFront }, modern] = await Promise.all([import("./front/stdio.ts"), this.#modernRouter()]);
    const front = new StdioFront({ ...this.#routes, modern, view, input, output });
    this.#stdio.add(front);
    await front.run();
    this.#stdio.delete(front);
  }

  /** Loaded with the first client of its era. */
  #modernRouter(): Promise<ModernRouter> {
    this.#modern ??= import("./route/modern-router.ts").then(({ ModernRouter }) => {
      const { listings, forwarder, subscriptions, tasks } = this.#router;
      return new ModernRouter(this.#hub, { listings, forwarder, subscriptions, tasks, ...this.#routes });
    });
    return this.#modern;
  }

  get #fronts(): readonly (HttpFront | SseFront | StdioFront)[] {
    return [this.#front, ...(this.#sse ? [this.#sse] : []), ...this.#stdio];
  }

  get #inFlight(): number {
    return this.#fronts.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Takes no new calls; those in flight go on. */
  drain(): void {
    this.#status.draining = true;
    this.#router.listings.close();
    this.#lock?.[Symbol.dispose]();
    for (const front of this.#fronts) front.drain();
  }

  /** Takes no new calls, lets those in flight end within `drain`, then ends all links and children. */
  async close(): Promise<void> {
    this.drain();
    await this.#operating.close();
    using scope = new Scope(undefined, this.#hub.plan.timeouts.drainMs);
    while (this.#inFlight > 0 && !scope.cancelled) await sleep(drainStepMs, scope).catch(() => {});
    await Promise.all([this.#sse?.close(), ...[...this.#stdio].map((front) => front.stop())]);
    await this.#front.close();
    await Promise.all([drain([...this.#hub.topology.values()], 0), ...this.#draining]);
    await this.clustering?.close();
    await Promise.all([this.#auditing?.close(), this.observing?.close()]);
  }
}
