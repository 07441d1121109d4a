// What follows a call from service to service. Who records it is given by the program; absent where nobody does.

/** W3C Trace Context and Baggage, as they are written in headers and in `_meta`. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
}

/** One piece of work in a trace. */
export interface Span {
  /** For whoever does a part of it. */
  readonly context: TraceContext;
  /** `fault`: empty where it went well. Idempotent. */
  end(fault: string): void;
}

/** What is known of a request when it is over. */
export interface Traced {
  readonly method: string;
  readonly name: string;
  readonly id: string;
  readonly backend: string;
  /** When it came, Unix ms. */
  readonly at: number;
  readonly notes: readonly { readonly ms: number; readonly text: string }[];
}

/** One request of a client that is recorded. */
export interface CallTrace {
  readonly traceId: string;
  readonly spanId: string;
  /** It is sent to a backend. */
  attempt(backend: string, method: string, name: string | undefined): Span;
  /** A backend asks its client something. */
  asked(method: string): Span;
  /** It is over, and what was open for it. */
  end(request: Traced, fault: string): void;
}

export interface CallFacts {
  readonly method: string;
  /** Revision that the client speaks. */
  readonly version: string;
  /** Names the client's session; empty where it has none. */
  readonly session: string;
}

export interface Tracer {
  /** Whether a request without a context of its own is to be recorded: {@link record} does it then. Nothing is made for it. */
  draw(): boolean;
  /** Records a request that was drawn. */
  record(facts: CallFacts): CallTrace;
  /** Undefined where the request is not recorded. `context`: the client's, if it sent one. */
  begin(context: TraceContext | undefined, facts: CallFacts): CallTrace | undefined;
}

const traceparentPattern =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/;
const listPattern = /^[\x20-\x7e]*$/;
const maxStateChars = 512;
const maxBaggageChars = 8192;

/** The context that these values are; undefined where the first one is none. What else is badly written is left out. */
export function contextOf(read: (name: "traceparent" | "tracestate" | "baggage") => unknown): TraceContext | undefined {
  const traceparent = read("traceparent");
  if (typeof traceparent !== "string" || traceparent.length > 200 || !traceparentPattern.test(traceparent))
    return undefined;
  return {
    traceparent,
    tracestate: listOf(read("tracestate"), maxStateChars),
    baggage: listOf(read("baggage"), maxBaggageChars),
  };
}

function listOf(value: unknown, maxChars: number): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= maxChars && listPattern.test(value)
    ? value
    : undefined;
}
