// Spans of calls with the API of OpenTelemetry: one for each request of a client, one for each attempt at a backend, and one
// for each question to the client. Names and attributes are those of its semantic conventions for MCP.

import { createHash } from "node:crypto";
import {
  type Attributes,
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer as OtelTracer,
} from "@opentelemetry/api";
import type { CallFacts, CallTrace, Span, TraceContext, Traced, Tracer } from "../core/trace.ts";

export interface Sampling {
  /** Of the calls whose clients do not say. */
  readonly ratio: number;
  /** What clients say counts. */
  readonly isParentBased: boolean;
}

const maxIdChars = 100;
const maxDigests = 1_000;
const jsonRpcCode = /^-?\d+$/;

export class CallTracer implements Tracer {
  readonly #otel: OtelTracer;
  readonly #sampling: Sampling;
  /** Requests that are to be recorded, and have not begun yet. */
  #due = 0;
  /** What spans say of sessions: whoever holds the id of one can use it. */
  readonly #digests = new Map<string, string>();

  constructor(otel: OtelTracer, sampling: Sampling) {
    this.#otel = otel;
    this.#sampling = sampling;
  }

  isDue(): boolean {
    if (Math.random() >= this.#sampling.ratio) return false;
    this.#due += 1;
    return true;
  }

  begin(context: TraceContext | undefined, facts: CallFacts): CallTrace | undefined {
    const parent = context && parentOf(context);
    if (!this.#samples(parent)) return undefined;
    const { method, version, session } = facts;
    const attributes: Attributes = { "mcp.method.name": method, "mcp.protocol.version": version };
    if (session !== "") attributes["mcp.session.id"] = this.#digestOf(session);
    return new RecordedCall(this.#otel, parent ?? ROOT_CONTEXT, context, attributes);
  }

  #digestOf(session: string): string {
    const known = this.#digests.get(session);
    if (known !== undefined) return known;
    const digest = createHash("sha256").update(session).digest("hex").slice(0, 16);
    if (this.#digests.size >= maxDigests) this.#digests.clear();
    this.#digests.set(session, digest);
    return digest;
  }

  #samples(parent: Context | undefined): boolean {
    const flags = parent && trace.getSpanContext(parent)?.traceFlags;
    if (flags !== undefined && this.#sampling.isParentBased) return (flags & TraceFlags.SAMPLED) !== 0;
    if (this.#due === 0) return Math.random() < this.#sampling.ratio;
    this.#due -= 1;
    return true;
  }
}

class RecordedCall implements CallTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly #otel: OtelTracer;
  readonly #span: OtelSpan;
  readonly #inside: Context;
  readonly #context: TraceContext | undefined;
  readonly #open = new Set<RecordedPart>();
  #attempts = 0;

  constructor(otel: OtelTracer, parent: Context, context: TraceContext | undefined, attributes: Attributes) {
    this.#otel = otel;
    this.#context = context;
    // It gets its name when that is known.
    this.#span = otel.startSpan("", { kind: SpanKind.SERVER, attributes }, parent);
    this.#inside = trace.setSpan(parent, this.#span);
    ({ traceId: this.traceId, spanId: this.spanId } = this.#span.spanContext());
  }

  attempt(backend: string, method: string, name: string | undefined): Span {
    this.#attempts += 1;
    return this.#part(titleOf(method, name), {
      "mcp.method.name": method,
      "mcpctl.backend": backend,
      "mcpctl.attempt": this.#attempts,
      ...nameOf(method, name),
    });
  }

  asked(method: string): Span {
    return this.#part(method, { "mcp.method.name": method });
  }

  #part(title: string, attributes: Attributes): Span {
    const span = this.#otel.startSpan(title, { kind: SpanKind.CLIENT, attributes }, this.#inside);
    const part = new RecordedPart(span, this.#context, () => this.#open.delete(part));
    this.#open.add(part);
    return part;
  }

  end({ method, name, id, backend, notes, at }: Traced, fault: string): void {
    for (const part of [...this.#open]) part.end("cancelled");
    const span = this.#span;
    span.updateName(titleOf(method, namesItem(method) ? name : undefined));
    span.setAttributes({ "jsonrpc.request.id": id.slice(0, maxIdChars), ...nameOf(method, name) });
    if (backend !== "") span.setAttribute("mcpctl.backend", backend);
    for (const { ms, text } of notes) span.addEvent(text, at + ms);
    fail(span, fault);
    span.end();
  }
}

class RecordedPart implements Span {
  readonly context: TraceContext;
  readonly #span: OtelSpan;
  readonly #ended: () => void;
  #isOver = false;

  constructor(span: OtelSpan, outer: TraceContext | undefined, ended: () => void) {
    this.#span = span;
    this.#ended = ended;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    this.context = {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
      tracestate: traceState?.serialize() || outer?.tracestate,
      baggage: outer?.baggage,
    };
  }

  end(fault: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended();
    fail(this.#span, fault);
    this.#span.end();
  }
}

function fail(span: OtelSpan, fault: string): void {
  if (fault === "") return;
  span.setAttribute("error.type", fault);
  if (jsonRpcCode.test(fault)) span.setAttribute("rpc.response.status_code", fault);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function titleOf(method: string, name: string | undefined): string {
  return name === undefined || name === "" ? method : `${method} ${name}`;
}

/** URIs may hold anything. */
function namesItem(method: string): boolean {
  return method === "tools/call" || method === "prompts/get";
}

function nameOf(method: string, name: string | undefined): Attributes {
  if (name === undefined || name === "") return {};
  if (method === "tools/call") return { "gen_ai.tool.name": name, "gen_ai.operation.name": "execute_tool" };
  return method === "prompts/get" ? { "gen_ai.prompt.name": name } : {};
}

/** The client's context; its values were looked at before. */
function parentOf({ traceparent, tracestate }: TraceContext): Context {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}
