// Spans as the exporters of OpenTelemetry read them, made when what they are about is over: until then nothing is kept but times.

import { randomBytes } from "node:crypto";
import { type Attributes, type SpanContext, type SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";

type HrTime = ReadableSpan["startTime"];

/** Where spans go, and what all of them say. */
export interface SpanSink {
  readonly resource: Resource;
  readonly instrumentationScope: ReadableSpan["instrumentationScope"];
  /** Of texts in attributes. */
  readonly maxValueChars: number;
  readonly ids: Ids;
  take(span: ReadableSpan): void;
}

/** What is known when it is over; times in Unix ms. */
export interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly from: number;
  readonly to: number;
  readonly attributes: Attributes;
  /** Empty where it went well. */
  readonly fault: string;
  readonly events: readonly { readonly name: string; readonly at: number }[];
}

const pooledDigits = 8192;
const jsonRpcCode = /^-?\d+$/;
const ok = { code: SpanStatusCode.UNSET };
const failed = { code: SpanStatusCode.ERROR };

export function spanOf(facts: SpanFacts, { resource, instrumentationScope, maxValueChars }: SpanSink): ReadableSpan {
  const { name, kind, context, parent, from, to, attributes, fault, events } = facts;
  if (fault !== "") attributes["error.type"] = fault;
  if (jsonRpcCode.test(fault)) attributes["rpc.response.status_code"] = fault;
  if (maxValueChars !== Infinity) shorten(attributes, maxValueChars);
  return {
    name,
    kind,
    spanContext: () => context,
    ...(parent && { parentSpanContext: parent }),
    startTime: hrTimeOf(from),
    endTime: hrTimeOf(to),
    duration: hrTimeOf(to - from),
    status: fault === "" ? ok : failed,
    attributes,
    links: [],
    events: events.map((each) => ({ name: each.name, time: hrTimeOf(each.at), attributes: {} })),
    ended: true,
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)];
}

function shorten(attributes: Attributes, maxChars: number): void {
  for (const [name, value] of Object.entries(attributes))
    if (typeof value === "string") attributes[name] = value.slice(0, maxChars);
}

/** Ids of traces and spans, which nobody else has: many of them are made at once. */
export class Ids {
  #digits = "";
  #at = 0;

  next(digits: 16 | 32): string {
    if (this.#at + digits > this.#digits.length) {
      this.#digits = randomBytes(pooledDigits / 2).toString("hex");
      this.#at = 0;
    }
    this.#at += digits;
    return this.#digits.slice(this.#at - digits, this.#at);
  }
}
