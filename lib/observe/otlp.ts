// Sends spans to a collector of OpenTelemetry, by OTLP over HTTP, with its SDK: loaded where traces are on, and only then.

import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Tracer } from "../core/trace.ts";
import { Ids } from "./span.ts";
import { CallTracer, type Sampling } from "./trace.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface TraceTerms {
  /** Base address of the collector; undefined = as the environment says. */
  readonly endpoint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly service: string | undefined;
  readonly version: string;
  /** Undefined = as the environment says. */
  readonly ratio: number | undefined;
}

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Resolves to what starts tracing; the exporter is the one that the environment names. */
export async function loadTracing(env: Environment): Promise<(terms: TraceTerms) => Tracing> {
  const protocol = env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? env["OTEL_EXPORTER_OTLP_PROTOCOL"];
  const { OTLPTraceExporter } = await (protocol === "http/protobuf"
    ? import("@opentelemetry/exporter-trace-otlp-proto")
    : import("@opentelemetry/exporter-trace-otlp-http"));
  return (terms) => start(terms, env, (options) => new OTLPTraceExporter(options));
}

interface ExporterOptions {
  readonly url?: string;
  readonly headers?: Record<string, string>;
}

function start(
  terms: TraceTerms,
  env: Environment,
  createExporter: (options: ExporterOptions) => SpanExporter,
): Tracing {
  const { endpoint, headers, service, version, ratio } = terms;
  const exporter = createExporter({
    ...(endpoint === undefined ? {} : { url: `${endpoint}/v1/traces` }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: { ...headers } }),
  });
  const processor = new BatchSpanProcessor(exporter);
  const sink = {
    resource: resourceFromAttributes({
      "service.version": version,
      ...resourceAttributes(env["OTEL_RESOURCE_ATTRIBUTES"] ?? ""),
      "service.name": service ?? env["OTEL_SERVICE_NAME"] ?? "mcpctl",
    }),
    instrumentationScope: { name: "mcpctl", version },
    maxValueChars: maxValueCharsOf(env),
    ids: new Ids(),
    take: (span: ReadableSpan) => processor.onEnd(span),
  };
  return { tracer: new CallTracer(sink, samplingOf(ratio, env)), close: () => processor.shutdown().catch(() => {}) };
}

/** `key=value` pairs, percent-encoded (OpenTelemetry, Resource SDK). */
function resourceAttributes(written: string): Readonly<Record<string, string>> {
  const pairs = written.split(",").flatMap((pair): [string, string][] => {
    const at = pair.indexOf("=");
    return at > 0 ? [[pair.slice(0, at).trim(), decode(pair.slice(at + 1).trim())]] : [];
  });
  return Object.fromEntries(pairs);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** OpenTelemetry, SDK Environment Variables, "Attribute Limits". */
function maxValueCharsOf(env: Environment): number {
  const written = env["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"] ?? env["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] ?? "";
  return /^[1-9]\d*$/.test(written) ? Number(written) : Infinity;
}

/** OpenTelemetry, SDK Environment Variables, "OTEL_TRACES_SAMPLER". */
function samplingOf(ratio: number | undefined, env: Environment): Sampling {
  const sampler = env["OTEL_TRACES_SAMPLER"] ?? "parentbased_always_on";
  const isParentBased = ratio !== undefined || sampler.startsWith("parentbased_");
  if (ratio !== undefined) return { ratio, isParentBased };
  if (sampler.endsWith("always_off")) return { ratio: 0, isParentBased };
  const argument = Number(env["OTEL_TRACES_SAMPLER_ARG"] ?? 1);
  const isShare = sampler.endsWith("traceidratio") && argument >= 0 && argument <= 1;
  return { ratio: isShare ? argument : 1, isParentBased };
}
