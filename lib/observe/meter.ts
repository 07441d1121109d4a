// Counts requests and attempts from the start on, in arrays of numbers that are written out when somebody asks; traces of
// requests end with them.

import type { Flight } from "../core/flight.ts";
import { type RequestMeter, type SendMeter, Traffic } from "../core/meter.ts";
import { Histogram } from "./histogram.ts";

/** Seconds; those of the semantic conventions of OpenTelemetry for MCP from 0.01 on, and what a gateway needs below. */
export const durationBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300,
];
const overheadBounds: readonly number[] = [
  0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5,
];

/** What stands for all others where there are too many of something, or where only clients know of it. */
const other = "other";
/** Of one backend. */
const maxFaults = 60;
/** JSON-RPC 2.0, "Error object": codes that mean something to everybody. */
const reservedCode = /^-32[0-9]{3}$/;
const plainWord = /^[A-Za-z_]{1,40}$/;

export interface MeterOptions {
  /** Methods that have a name of their own. */
  readonly methods: ReadonlySet<string>;
  /** How many tools have. */
  readonly maxTools: number;
  /** Whether a request names a tool that its backend lists: clients may call anything, by any name. */
  readonly isListed: (flight: Flight) => boolean;
}

/** What requests of one kind came to. */
export interface RequestSeries {
  readonly method: string;
  /** Exposed name; empty where it is no tool. */
  readonly tool: string;
  /** Empty where they were answered well. */
  readonly fault: string;
  readonly durations: Histogram;
}

export interface AttemptSeries {
  readonly method: string;
  readonly fault: string;
  readonly durations: Histogram;
}

/** Everything that is counted of one backend; of requests that no backend got, under an empty name. */
export class BackendMeter implements SendMeter {
  readonly traffic: Traffic = new Traffic();
  readonly requests: Map<string, RequestSeries> = new Map();
  readonly attempts: Map<string, AttemptSeries> = new Map();
  /** What the gateway itself takes of a call. */
  readonly overhead: Histogram = new Histogram(overheadBounds);
  /** Calls of tools that went well, which most are. */
  readonly calls: Map<string, RequestSeries> = new Map();
  readonly #methods: ReadonlySet<string>;
  readonly #faults = new Set<string>();
  #lastMethod = "";
  #lastAttempts: AttemptSeries | undefined;

  constructor(methods: ReadonlySet<string>) {
    this.#methods = methods;
  }

  attempted(method: string, tookMs: number, fault: string): void {
    if (fault === "" && method === this.#lastMethod && this.#lastAttempts) {
      this.#lastAttempts.durations.add(tookMs / 1000);
      return;
    }
    const series = this.#attempts(this.methodOf(method), this.faultOf(fault));
    series.durations.add(tookMs / 1000);
    if (fault !== "") return;
    this.#lastMethod = method;
    this.#lastAttempts = series;
  }

  #attempts(method: string, fault: string): AttemptSeries {
    const key = `${method}\n${fault}`;
    const known = this.attempts.get(key);
    if (known) return known;
    const series = { method, fault, durations: new Histogram(durationBounds) };
    this.attempts.set(key, series);
    return series;
  }

  series(method: string, tool: string, fault: string): RequestSeries {
    const key = `${method}\n${tool}\n${fault}`;
    const known = this.requests.get(key);
    if (known) return known;
    const series = { method, tool, fault, durations: new Histogram(durationBounds) };
    this.requests.set(key, series);
    return series;
  }

  methodOf(method: string): string {
    return this.#methods.has(method) ? method : other;
  }

  /** Words of the gateway, and codes that the protocols name; those of an application are any number. */
  faultOf(fault: string): string {
    if (fault === "" || this.#faults.has(fault)) return fault;
    const isPlain = reservedCode.test(fault) || plainWord.test(fault);
    if (!isPlain || this.#faults.size >= maxFaults) return "application_error";
    this.#faults.add(fault);
    return fault;
  }
}

export class Meter implements RequestMeter {
  readonly #options: MeterOptions;
  readonly #backends = new Map<string, BackendMeter>();
  /** Exposed names with a series of their own, each behind its backend. */
  readonly #tools = new Set<string>();

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** By name; those of removed backends too, until {@link keep}. */
  get backends(): ReadonlyMap<string, BackendMeter> {
    return this.#backends;
  }

  backend(name: string): BackendMeter {
    const known = this.#backends.get(name);
    if (known) return known;
    const meter = new BackendMeter(this.#options.methods);
    this.#backends.set(name, meter);
    return meter;
  }

  /** Forgets backends that are not among these: a config may name others for ever. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#backends.keys()) if (name !== "" && !names.has(name)) this.#backends.delete(name);
    for (const key of this.#tools) if (!names.has(key.slice(0, key.indexOf("\n")))) this.#tools.delete(key);
  }

  ended(flight: Flight, fault: string): void {
    const now = performance.now();
    const tookMs = now - flight.begunAt;
    const backend = this.#backends.get(flight.backend) ?? this.backend(flight.backend);
    const isCall = flight.method === "tools/call";
    const fast = isCall && fault === "" ? backend.calls.get(flight.name) : undefined;
    const { durations } = fast ?? this.#series(backend, flight, isCall, fault);
    const part = durations.add(tookMs / 1000);
    const outMs = flight.outMs(now);
    if (outMs !== undefined) backend.overhead.add((tookMs - outMs) / 1000);
    const { trace } = flight;
    if (!trace) return;
    durations.mark(part, { trace: trace.traceId, span: trace.spanId, value: tookMs / 1000, at: Date.now() });
    trace.end(flight, fault);
  }

  #series(backend: BackendMeter, flight: Flight, isCall: boolean, fault: string): RequestSeries {
    const tool = isCall ? this.#toolOf(flight) : "";
    const series = backend.series(backend.methodOf(flight.method), tool, backend.faultOf(fault));
    if (isCall && fault === "" && tool !== other) backend.calls.set(flight.name, series);
    return series;
  }

  #toolOf(flight: Flight): string {
    const key = `${flight.backend}\n${flight.name}`;
    if (this.#tools.has(key)) return flight.name;
    if (this.#tools.size >= this.#options.maxTools || !this.#options.isListed(flight)) return other;
    this.#tools.add(key);
    return flight.name;
  }
}
