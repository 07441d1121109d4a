// Spans of calls for the SDK of OpenTelemetry: one for each request of a client, one for each attempt at a backend, and one for
// each question to the client. Names and attributes are those of its semantic conventions for MCP.

import { createHash } from "node:crypto";
import { type Attributes, createTraceState, type SpanContext, SpanKind, TraceFlags } from "@opentelemetry/api";
import type { CallFacts, CallTrace, Span, TraceContext, Traced, Tracer } from "../core/trace.ts";
import { spanOf, type SpanSink } from "./span.ts";

export interface Sampling {
  /** Of the calls whose clients do not say. */
  readonly ratio: number;
  /** What clients say counts. */
  readonly isParentBased: boolean;
}

const maxIdChars = 100;
const maxDigests = 1_000;
/** 00-<trace>-<span>-<flags> */
const flagsAt = 53;

export class CallTracer implements Tracer {
  readonly #sink: SpanSink;
  readonly #sampling: Sampling;
  /** What spans say of sessions: whoever holds the id of one can use it. */
  readonly #digests = new Map<string, string>();

  constructor(sink: SpanSink, sampling: Sampling) {
    this.#sink = sink;
    this.#sampling = sampling;
  }

  draw(): boolean {
    return Math.random() < this.#sampling.ratio;
  }

  begin(context: TraceContext | undefined, facts: CallFacts): CallTrace | undefined {
    const isRecorded = context && this.#sampling.isParentBased ? isSampled(context) : this.draw();
    return isRecorded ? this.record(facts, context) : undefined;
  }

  record({ method, version, session }: CallFacts, context?: TraceContext): CallTrace {
    const attributes: Attributes = { "mcp.method.name": method, "mcp.protocol.version": version };
    if (session !== "") attributes["mcp.session.id"] = this.#digestOf(session);
    return new RecordedCall(this.#sink, context, attributes);
  }

  #digestOf(session: string): string {
    const known = this.#digests.get(session);
    if (known !== undefined) return known;
    const digest = createHash("sha256").update(session).digest("hex").slice(0, 16);
    if (this.#digests.size >= maxDigests) this.#digests.clear();
    this.#digests.set(session, digest);
    return digest;
  }
}

/** Made of what was noted on the way, when it is over. */
class RecordedCall implements CallTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly sink: SpanSink;
  readonly outer: TraceContext | undefined;
  readonly #parent: SpanContext | undefined;
  readonly #attributes: Attributes;
  readonly #at = Date.now();
  readonly #begunAt = performance.now();
  #open: RecordedPart[] = [];
  #attempts = 0;

  constructor(sink: SpanSink, outer: TraceContext | undefined, attributes: Attributes) {
    this.sink = sink;
    this.outer = outer;
    this.#parent = outer && parentOf(outer);
    this.traceId = this.#parent?.traceId ?? sink.ids.next(32);
    this.spanId = sink.ids.next(16);
    this.#attributes = attributes;
  }

  /** By the clock of the call, so that parts lie within it; Unix ms. */
  now(): number {
    return this.#at + performance.now() - this.#begunAt;
  }

  contextOf(spanId: string): SpanContext {
    const { traceId } = this;
    const traceState = this.#parent?.traceState;
    return { traceId, spanId, traceFlags: TraceFlags.SAMPLED, ...(traceState && { traceState }) };
  }

  attempt(backend: string, method: string, name: string | undefined): Span {
    this.#attempts += 1;
    const attributes = { "mcp.method.name": method, "mcpctl.backend": backend, "mcpctl.attempt": this.#attempts };
    return this.#part(titleOf(method, name), named(attributes, method, name));
  }

  asked(method: string): Span {
    return this.#part(method, { "mcp.method.name": method });
  }

  #part(title: string, attributes: Attributes): Span {
    const part = new RecordedPart(this, title, attributes);
    this.#open.push(part);
    return part;
  }

  /** It is over. */
  left(part: RecordedPart): void {
    this.#open = this.#open.filter((each) => each !== part);
  }

  end({ method, name, id, backend, notes, at }: Traced, fault: string): void {
    for (const part of this.#open) part.end("cancelled");
    const attributes = named(this.#attributes, method, name);
    attributes["jsonrpc.request.id"] = id.slice(0, maxIdChars);
    if (backend !== "") attributes["mcpctl.backend"] = backend;
    const span = {
      name: titleOf(method, namesItem(method) ? name : undefined),
      kind: SpanKind.SERVER,
      context: this.contextOf(this.spanId),
      parent: this.#parent,
      from: this.#at,
      to: this.now(),
      attributes,
      fault,
      events: notes.map(({ ms, text }) => ({ name: text, at: at + ms })),
    };
    this.sink.take(spanOf(span, this.sink));
  }
}

class RecordedPart implements Span {
  readonly context: TraceContext;
  readonly #call: RecordedCall;
  readonly #title: string;
  readonly #attributes: Attributes;
  readonly #spanId: string;
  readonly #from: number;
  #isOver = false;

  constructor(call: RecordedCall, title: string, attributes: Attributes) {
    this.#call = call;
    this.#title = title;
    this.#attributes = attributes;
    this.#from = call.now();
    this.#spanId = call.sink.ids.next(16);
    this.context = {
      traceparent: `00-${call.traceId}-${this.#spanId}-01`,
      tracestate: call.outer?.tracestate,
      baggage: call.outer?.baggage,
    };
  }

  end(fault: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const call = this.#call;
    call.left(this);
    const span = {
      name: this.#title,
      kind: SpanKind.CLIENT,
      context: call.contextOf(this.#spanId),
      parent: call.contextOf(call.spanId),
      from: this.#from,
      to: call.now(),
      attributes: this.#attributes,
      fault,
      events: [],
    };
    call.sink.take(spanOf(span, call.sink));
  }
}

function titleOf(method: string, name: string | undefined): string {
  return name === undefined || name === "" ? method : `${method} ${name}`;
}

/** URIs may hold anything. */
function namesItem(method: string): boolean {
  return method === "tools/call" || method === "prompts/get";
}

/** Adds what is called. */
function named(attributes: Attributes, method: string, name: string | undefined): Attributes {
  if (name === undefined || name === "") return attributes;
  if (method === "prompts/get") attributes["gen_ai.prompt.name"] = name;
  if (method !== "tools/call") return attributes;
  attributes["gen_ai.tool.name"] = name;
  attributes["gen_ai.operation.name"] = "execute_tool";
  return attributes;
}

function isSampled({ traceparent }: TraceContext): boolean {
  return (Number.parseInt(traceparent.slice(flagsAt, flagsAt + 2), 16) & TraceFlags.SAMPLED) !== 0;
}

/** The client's context; its values were looked at before. */
function parentOf({ traceparent, tracestate }: TraceContext): SpanContext {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}
