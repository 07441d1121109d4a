// The messages of clients as they come and go, for those who watch: it stands in the way of requests only while somebody does.

import { createHash } from "node:crypto";
import type { FlightReport } from "../core/flight.ts";
import type { Principal } from "../core/principal.ts";
import { splitName, splitUri, type View } from "../merge/names.ts";
import type { Hub } from "../route/hub.ts";
import type { ClientCertificate } from "../core/tls-server.ts";
import type { EventSink } from "./eventlog.ts";
import type { HttpReply, HttpRequest, Leave } from "./exchange.ts";
import { sessionHeader } from "./headers.ts";
import { isEvents } from "./reply.ts";
import { glimpse, type Glimpse } from "./glimpse.ts";

/** What answers a request. */
export type Enter = (request: HttpRequest, view: View, who: Principal) => HttpReply | Promise<HttpReply>;

/** One message, as it is told to those who watch. */
export interface Sight extends Omit<Glimpse, "text"> {
  /** ISO 8601. */
  readonly at: string;
  readonly from: "client" | "gateway";
  /** Empty = the whole gateway. */
  readonly view: string;
  readonly principal: string;
  /** Which session, not its id: that would let somebody in. */
  readonly session?: string;
  readonly backend: string;
  /** Of an answer. */
  readonly ms?: number;
  readonly bytes: number;
}

export type Watch = (sight: Sight, text: string) => void;

/** Who listens; streams that were opened meanwhile outlive them. */
export interface Ears {
  watch: Watch | undefined;
}

/** Requests of one client whose answers are awaited. */
interface Awaited {
  readonly glimpse: Glimpse;
  readonly at: number;
}

/** Calls with the same id, of several clients. */
const maxFlights = 5;

/** What answers requests, with somebody who hears what is said. */
export function tapped(enter: Enter, hub: Hub, ears: Ears): Enter {
  return (request, view, who) => {
    // One that is judged again.
    if (request instanceof Wire) return enter(request, view, who);
    const wire = new Wire({ request, view, who, hub, ears });
    const reply = enter(wire, view, who);
    return reply instanceof Promise ? reply.then((late) => wire.answered(late)) : wire.answered(reply);
  };
}

interface WireTerms {
  readonly request: HttpRequest;
  readonly view: View;
  readonly who: Principal;
  readonly hub: Hub;
  readonly ears: Ears;
}

/** One request, and what comes back; it never goes straight. */
class Wire implements HttpRequest {
  readonly #terms: WireTerms;
  readonly #awaited = new Map<string, Awaited>();
  readonly #session: string | undefined;
  /** It was heard already. */
  #restored: Uint8Array | undefined;

  constructor(terms: WireTerms) {
    this.#terms = terms;
    const id = terms.request.header(sessionHeader);
    this.#session = id === undefined ? undefined : createHash("sha256").update(id).digest("hex").slice(0, 8);
  }

  get inner(): HttpRequest {
    return this.#terms.request;
  }

  get method(): string {
    return this.#terms.request.method;
  }

  get path(): string {
    return this.#terms.request.path;
  }

  get query(): string {
    return this.#terms.request.query;
  }

  /** What was found out of a head holds for requests that nobody sees, too. */
  get head(): object {
    return this.#terms.request.head;
  }

  get certificate(): ClientCertificate | undefined {
    return this.#terms.request.certificate;
  }

  get isNear(): boolean {
    return this.#terms.request.isNear;
  }

  get isRelayed(): boolean {
    return this.#terms.request.isRelayed;
  }

  get headers(): ReadonlyMap<string, string> {
    return this.#terms.request.headers;
  }

  header(name: string): string | undefined {
    return this.#terms.request.header(name);
  }

  get judgedBy(): object | undefined {
    return this.#terms.request.judgedBy;
  }

  set judgedBy(plan: object | undefined) {
    this.#terms.request.judgedBy = plan;
  }

  whenGone(listener: Leave): void {
    this.#terms.request.whenGone(listener);
  }

  restore(body: Uint8Array): void {
    this.#restored = body;
  }

  body(maxBytes: number): Uint8Array | Promise<Uint8Array> {
    if (this.#restored) return this.#restored;
    const body = this.#terms.request.body(maxBytes);
    if (body instanceof Uint8Array) return this.#asked(body);
    return body.then((late) => this.#asked(late));
  }

  #asked(body: Uint8Array): Uint8Array {
    for (const each of glimpse(body)) {
      if (each.type === "request") this.#awaited.set(each.id ?? "", { glimpse: each, at: Date.now() });
      this.#tell("client", each, this.#backendOf(each));
    }
    return body;
  }

  answered(reply: HttpReply): HttpReply {
    const { body } = reply;
    if (body === undefined) return reply;
    if (!isEvents(body)) {
      this.#said(body);
      return reply;
    }
    const open = (sink: EventSink): Leave => body.open(this.#overheard(sink));
    return { ...reply, body: { open, drop: () => body.drop?.() } };
  }

  #overheard(sink: EventSink): EventSink {
    return {
      get congestion() {
        return sink.congestion;
      },
      write: (frame) => {
        if (this.#terms.ears.watch) this.#hear(frame);
        sink.write(frame);
      },
      end: () => sink.end(),
    };
  }

  #hear(frame: Uint8Array): void {
    // The frames of one event are written at once, and its data is one line.
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
    for (let at = 0; at < text.length;) {
      const end = text.indexOf("\n", at);
      const line = text.subarray(at, end < 0 ? text.length : end);
      if (line.subarray(0, dataField.length).equals(dataField)) this.#said(line.subarray(dataField.length));
      at += line.length + 1;
    }
  }

  #said(bytes: Uint8Array): void {
    for (const each of glimpse(bytes)) {
      // A frame may hold what is no message: the address of an endpoint, an empty event.
      if (each.type === "malformed") continue;
      const asked = each.type === "response" ? this.#awaited.get(each.id ?? "") : undefined;
      if (!asked) {
        this.#tell("gateway", each, this.#backendOf(each));
        continue;
      }
      this.#awaited.delete(each.id ?? "");
      const { method, name } = asked.glimpse;
      const named = { ...each, ...(method === undefined ? {} : { method }), ...(name === undefined ? {} : { name }) };
      this.#tell("gateway", named, this.#flightOf(asked.glimpse)?.backend ?? this.#backendOf(named), asked.at);
    }
  }

  #tell(from: Sight["from"], { text, ...rest }: Glimpse, backend: string, since?: number): void {
    const { view, who, ears } = this.#terms;
    const now = Date.now();
    const sight: Sight = {
      at: new Date(now).toISOString(),
      from,
      ...rest,
      view: view.backend,
      principal: who.id,
      ...(this.#session === undefined ? {} : { session: this.#session }),
      backend,
      ...(since === undefined ? {} : { ms: now - since }),
      bytes: Buffer.byteLength(text),
    };
    ears.watch?.(sight, text);
  }

  /** Where a message goes, as far as its name says it before it went there. */
  #backendOf({ method, name }: Glimpse): string {
    const { view, hub } = this.#terms;
    if (view.backend !== "" && hub.topology.has(view.backend)) return view.backend;
    if (name === undefined || method === undefined) return "";
    const split = method.startsWith("resources/") ? splitUri(name) : splitName(view, name);
    return split && hub.topology.has(split.backend) ? split.backend : "";
  }

  #flightOf({ id, method, name }: Glimpse): FlightReport | undefined {
    const flights = this.#terms.hub.flights.find(id ?? "", maxFlights);
    return flights.find((each) => each.method === method && each.name === (name ?? "") && each.backend !== "");
  }
}

const dataField = Buffer.from("data: ");
