// The flight recorder: what became of the last calls, and why. No arguments, no results, nothing that a client sent but names;
// its message only as long as it is in flight, and only where arguments are written down.

import type { Envelope } from "./envelope.ts";
import type { CallTrace } from "./trace.ts";

/** Something that was decided about a call. */
export interface FlightNote {
  /** Since the call came. */
  readonly ms: number;
  readonly text: string;
}

/** What the policy, and where it says so the user, said of a call; empty where nobody was asked. */
export type Verdict = "" | "allow" | "deny" | "confirmed" | "declined";

/** What came from the client, and what it turned out to mean. */
export interface Kept {
  readonly request: Envelope;
  readonly backend: string;
  /** Name at the backend. */
  readonly local: string;
}

/** A call that is asked for again and again must not fill the memory. */
const maxNotes = 100;

/** One call on its way through. */
export class Flight {
  /** The client's id of it, as JSON. */
  readonly id: string;
  /** When it came, Unix ms. */
  readonly at: number;
  /** The same by `performance.now()`, for what takes less than a millisecond. */
  readonly begunAt: number = performance.now();
  method = "";
  /** Exposed name, or URI. */
  name = "";
  /** The backend whose endpoint it came to; empty = the whole gateway. */
  view = "";
  backend = "";
  endedAt = 0;
  failed = false;
  /** Who calls. */
  principal = "";
  /** Of the error that the gateway answered with. */
  code = "";
  /** The word for that error. */
  fault = "";
  /** That error itself. */
  error: Error | undefined;
  /** Where it is traced. */
  trace: CallTrace | undefined;
  /** Of the trace that its client sent it in; empty where it sent none, or nobody looked. */
  traceId = "";
  decision: Verdict = "";
  /** Of the rule of the policy that was asked, from 1. */
  rule: number | undefined;
  /** Of the replica that answered, or was asked last; -1 where none was. */
  replica = -1;
  /** Bytes of the client's message, and of the answer to it; 0 where there is none. */
  requestBytes = 0;
  replyBytes = 0;
  /** As long as it is in flight, where somebody writes down arguments. */
  kept: Kept | undefined;
  /** It counts as one of the requests that its principal may have in flight. */
  isHeld = false;
  /** Hears when it is over. */
  listener: ((flight: Flight) => void) | undefined;
  /** Ids of the requests by which its client went on with it. */
  #later: string[] | undefined;
  #notes: FlightNote[] | undefined;
  /** Attempts that are out, since when any is, and how long any was before; ms of `performance.now()`. */
  #out = 0;
  #outSince = 0;
  #outMs = -1;

  constructor(id: string, at: number = Date.now()) {
    this.id = id;
    this.at = at;
  }

  /** All ids that its client gave it. */
  get ids(): readonly string[] {
    return [this.id, ...(this.#later ?? [])];
  }

  /** Its client went on with it by another request. */
  resumed(id: string): void {
    (this.#later ??= []).push(id);
  }

  /** With this; returns it. */
  answered(reply: Uint8Array): Uint8Array {
    this.replyBytes = reply.length;
    return reply;
  }

  /** `rule`: from 1. */
  decided(decision: Verdict, rule: number | undefined): void {
    this.decision = decision;
    this.rule = rule;
  }

  /** It is of this tool or prompt, by its name at the backend. */
  meant(backend: string, local: string): void {
    if (this.kept) this.kept = { ...this.kept, backend, local };
  }

  /** It was sent to a backend. */
  left(now: number): void {
    if (this.#out === 0) this.#outSince = now;
    this.#out += 1;
  }

  /** What was sent has its answer, or none. */
  back(now: number): void {
    this.#out -= 1;
    if (this.#out === 0) this.#outMs = Math.max(0, this.#outMs) + now - this.#outSince;
  }

  /** How long a backend had it until now, ms; undefined where none did. */
  outMs(now: number): number | undefined {
    const before = Math.max(0, this.#outMs);
    if (this.#out > 0) return before + now - this.#outSince;
    return this.#outMs < 0 ? undefined : before;
  }

  get notes(): readonly FlightNote[] {
    return this.#notes ?? [];
  }

  end(now: number): void {
    this.endedAt = now;
    this.listener?.(this);
  }

  note(text: string): void {
    this.#notes ??= [];
    if (this.#notes.length < maxNotes) this.#notes.push({ ms: Date.now() - this.at, text });
  }
}

/** A flight as it is handed out. */
export interface FlightReport {
  readonly ids: readonly string[];
  /** When it came, ISO 8601. */
  readonly at: string;
  readonly method: string;
  readonly name: string;
  readonly view: string;
  readonly backend: string;
  readonly outcome: "in flight" | "answered" | "failed";
  readonly tookMs: number;
  readonly notes: readonly FlightNote[];
}

/** Whoever writes down arguments. */
export interface ArgumentKeeper {
  wantsTool(backend: string, local: string): boolean;
}

/** The last calls, as many as there is room for. */
export class Flights {
  /** Hears of each that is over. */
  listener: ((flight: Flight) => void) | undefined;
  /** Absent where nobody writes down arguments. */
  keeper: ArgumentKeeper | undefined;
  readonly #room: number;
  readonly #ring: Flight[] = [];
  #next = 0;

  constructor(room: number) {
    this.#room = room;
  }

  /** Takes down that a call came; it says itself what becomes of it. */
  add(flight: Flight, method: string, name: string, view: string, request?: Envelope): void {
    flight.method = method;
    flight.name = name;
    flight.view = view;
    flight.listener = this.listener;
    if (this.keeper && request) flight.kept = { request, backend: "", local: "" };
    this.#ring[this.#next] = flight;
    this.#next = (this.#next + 1) % this.#room;
  }

  /**
   * Those with this id, as the client wrote it or as JSON, the latest first; without an id the latest of all. With `of`
   * those of this principal alone.
   */
  find(id: string | undefined, most: number, of?: string): readonly FlightReport[] {
    const found: FlightReport[] = [];
    for (let back = 1; back <= this.#ring.length && found.length < most; back += 1) {
      const flight = this.#ring.at(this.#next - back);
      if (!flight) break;
      const { ids, principal } = flight;
      if (of !== undefined && principal !== of) continue;
      if (id === undefined || ids.includes(id) || ids.includes(JSON.stringify(id))) found.push(reportOf(flight));
    }
    return found;
  }
}

function reportOf({ ids, at, method, name, view, backend, endedAt, failed, notes }: Flight): FlightReport {
  return {
    ids,
    at: new Date(at).toISOString(),
    method,
    name,
    view,
    backend,
    outcome: endedAt === 0 ? "in flight" : failed ? "failed" : "answered",
    tookMs: (endedAt === 0 ? Date.now() : endedAt) - at,
    notes,
  };
}
