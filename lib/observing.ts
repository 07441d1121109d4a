// Who watches the gateway: what is counted from the start, and what is loaded only when somebody wants to see it.

import type { MetricsPlan, TracesPlan } from "./config/observe.ts";
import { GatewayError } from "./core/errors.ts";
import type { Crew } from "./crew.ts";
import { answerMetrics, metricsPath, openDoor, type Write, type Written } from "./door.ts";
import type { RequestMeter, Traffic } from "./core/meter.ts";
import type { Flight } from "./core/flight.ts";
import { isLoopback } from "./core/loopback.ts";
import type { BackendFigures } from "./figures.ts";
import type { HttpReply, HttpRequest } from "./front/exchange.ts";
import type { Witness } from "./front/gate.ts";
import { errorReply } from "./front/reply.ts";
import type { Listener } from "./listen.ts";
import { isShortened, splitName } from "./merge/names.ts";
import type { Metrics } from "./metrics.ts";
import { Meter } from "./observe/meter.ts";
import type { TraceTerms, Tracing } from "./observe/otlp.ts";
import { legacyCodec } from "./protocol/legacy.ts";
import { RequestLog } from "./request-log.ts";
import type { Listings } from "./route/fanout.ts";
import type { ServerIdentity } from "./route/greet.ts";
import type { Hub } from "./route/hub.ts";
import type { Router } from "./route/router.ts";

const maxRefusals = 60;
/** What the processes of a gateway tell each other has exemplars. */
const openMetrics = "application/openmetrics-text";
/** What the modern era has beside the requests of the legacy one; its codec is loaded when somebody speaks it. */
const modernRequests = ["server/discover", "subscriptions/listen", "tasks/update"] as const;

interface Observed {
  readonly hub: Hub;
  readonly listings: Listings;
  readonly version: string;
  /** Requests of clients in flight. */
  readonly inFlight: () => number;
  /** Where this process is one of several workers. */
  readonly crew: Crew | undefined;
}

/** The parts of a gateway that say how it is. */
export interface Routes {
  readonly hub: Hub;
  readonly router: Router;
  readonly identity: ServerIdentity;
}

export class Observing {
  readonly #of: Observed;
  readonly meter: Meter;
  /** By error code. */
  readonly #refusals = new Map<string, number>();
  #reloads = -1;
  #metrics: Promise<Metrics> | undefined;
  #traces: { readonly key: string; readonly tracing: Tracing | undefined } = { key: "", tracing: undefined };
  #door = "";
  #listener: Promise<Listener | undefined> = Promise.resolve(undefined);

  constructor({ hub, router, identity }: Routes, inFlight: () => number, crew?: Crew) {
    const observed = { hub, listings: router.listings, version: identity.version, inFlight, crew };
    this.#of = observed;
    const { maxTools } = hub.plan.observe.metrics;
    const methods = new Set([...legacyCodec.requests, ...modernRequests]);
    this.meter = new Meter({ methods, maxTools, isListed: (flight) => isListed(observed, flight) });
    crew?.measures(async () => (await this.#own(openMetrics)).text);
  }

  /** A plan is in place; `start` starts to trace, where that is wanted. */
  apply(start: ((terms: TraceTerms) => Tracing) | undefined): void {
    const { hub } = this.#of;
    const { metrics, traces } = hub.plan.observe;
    this.#trace(start, traces);
    hub.meter = this.#meters();
    this.#reloads += 1;
    this.meter.keep(new Set(hub.topology.keys()));
    this.#openDoor(metrics);
  }

  /** Who hears of requests that are over; mostly one, which nothing stands before. */
  #meters(): RequestMeter {
    const { hub } = this.#of;
    const { requests } = hub.plan.observe.log;
    const log = requests === "off" ? [] : [new RequestLog(hub.observer, requests === "all")];
    const all = [this.meter, ...log];
    return all.length === 1 ? this.meter : new Several(all);
  }

  /** What is traced already goes on where nothing changes. */
  #trace(start: ((terms: TraceTerms) => Tracing) | undefined, traces: TracesPlan | undefined): void {
    const { hub, version } = this.#of;
    const key = start ? JSON.stringify(traces ?? {}) : "";
    if (key === this.#traces.key) return;
    const { endpoint, headers = {}, service, sample: ratio } = traces ?? {};
    const before = this.#traces.tracing;
    const tracing = start?.({ endpoint, headers, service, version, ratio });
    this.#traces = { key, tracing };
    hub.tracer = tracing?.tracer;
    void before?.close();
  }

  /** How each backend does, in config order. */
  async figures(): Promise<readonly BackendFigures[]> {
    const { figuresOf } = await import("./figures.ts");
    return [...this.#of.hub.topology].map(([name, backend]) => figuresOf(backend, this.meter.backends.get(name)));
  }

  /** Counts those who are not let in, and tells somebody else too. */
  witness(next: Witness | undefined): Witness {
    return {
      refused: (path, code, why) => {
        const known = this.#refusals.get(code) ?? 0;
        if (known > 0 || this.#refusals.size < maxRefusals) this.#refusals.set(code, known + 1);
        next?.refused(path, code, why);
      },
    };
  }

  /** Bytes of clients over HTTP. */
  get traffic(): Traffic {
    return this.#of.hub.traffic;
  }

  /** Answers a request for metrics where clients come in; undefined where there are none for who asks. */
  handle(request: HttpRequest, path: string, isStranger: boolean): Promise<HttpReply> | HttpReply | undefined {
    const { plan } = this.#of.hub;
    if (path !== metricsPath || isStranger || plan.observe.metrics.isOff || plan.observe.metrics.listen)
      return undefined;
    if (plan.auth || isLoopback(plan.listen.host)) return answerMetrics(request, this.#write);
    const text = "metrics are not for everybody: configure auth, or an address of their own with metrics.listen";
    return { ...errorReply(new GatewayError("denied", text), undefined), status: 403 };
  }

  async close(): Promise<void> {
    this.#door = "";
    await this.#of.crew?.farewell();
    await (await this.#listener)?.close(true);
    (await this.#metrics)?.[Symbol.dispose]();
    await this.#traces.tracing?.close();
  }

  readonly #write: Write = async (accept) => {
    const { crew } = this.#of;
    return crew ? await crew.metrics(accept) : await this.#own(accept);
  };

  /** Of this process. */
  async #own(accept: string): Promise<Written> {
    this.#metrics ??= this.#load();
    return (await this.#metrics).write(accept);
  }

  async #load(): Promise<Metrics> {
    const { Metrics } = await import("./metrics.ts");
    const counts = { refusals: this.#refusals, reloads: () => Math.max(0, this.#reloads) };
    return new Metrics({ ...this.#of, meter: this.meter, counts });
  }

  /** An address for metrics alone; that of workers is their supervisor's. */
  #openDoor({ isOff, listen }: MetricsPlan): void {
    const { hub, crew } = this.#of;
    const { allowedHosts, allowedOrigins } = hub.plan;
    const at = isOff || !listen ? undefined : { ...listen, allowedHosts, allowedOrigins };
    const door = at ? JSON.stringify(at) : "";
    if (door === this.#door) return;
    this.#door = door;
    if (crew) return crew.door(at);
    this.#listener = this.#listener.then(async (before) => {
      await before?.close(true);
      return await openDoor(at, this.#write, hub.observer);
    });
  }
}

/** Tells all of them. */
class Several implements RequestMeter {
  readonly #all: readonly RequestMeter[];

  constructor(all: readonly RequestMeter[]) {
    this.#all = all;
  }

  ended(flight: Flight, fault: string): void {
    for (const each of this.#all) each.ended(flight, fault);
  }
}

/** Whether the backend of a call lists its tool: a name that only clients know is not one to keep. */
function isListed({ hub, listings }: Observed, { backend: name, view: viewName, name: tool }: Flight): boolean {
  const backend = hub.topology.get(name);
  const view = hub.view(viewName);
  if (!backend || !view) return false;
  // The listing was asked where it is.
  if (isShortened(tool)) return true;
  return listings.shelves.lists(backend, splitName(view, tool)?.local ?? tool) || listings.shelves.lists(backend, tool);
}
