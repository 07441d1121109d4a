// What a config file may say of metrics, traces and logs, as a schema.

import * as z from "zod";
import { observeDefaults } from "./observe.ts";
import {
  componentPattern,
  isCollectorUrl,
  type LogConfig,
  logFormats,
  logLevels,
  logOutputs,
  maxNamedTools,
  type MetricsConfig,
  requestLogs,
  type TracesConfig,
} from "./rules-observe.ts";
import { address, filled, flag, integer, share, strict, text } from "./schema-values.ts";

const addressError = 'expected an address like "127.0.0.1:9464", or a port up to 65535';
const urlError = "expected an http or https address without user, password and fragment";
const { metrics, log } = observeDefaults;
const level = z.enum(logLevels);

/** Keys of the whole config. */
export const observeShape: {
  readonly metrics: z.ZodType<MetricsConfig | undefined>;
  readonly traces: z.ZodType<TracesConfig | undefined>;
  readonly log: z.ZodType<LogConfig | undefined>;
} = {
  metrics: strict({
    disabled: flag.optional().meta({ fallback: false }).describe("Count nothing, and have no /metrics."),
    listen: z
      .union(address(addressError), { error: addressError })
      .optional()
      .describe("Serve /metrics at an address of its own, without authentication, and not where clients come in."),
    tools: integer(0, maxNamedTools)
      .optional()
      .meta({ fallback: metrics.maxTools })
      .describe("How many tools have metrics of their own; the others share one series."),
  })
    .optional()
    .describe("Metrics for Prometheus, at /metrics."),
  traces: strict({
    endpoint: z
      .string({ error: urlError })
      .refine(isCollectorUrl, { error: urlError })
      .optional()
      .describe("Base address of an OpenTelemetry collector (OTLP over HTTP), like http://127.0.0.1:4318."),
    sample: share(1).describe("Share of the calls that are traced where their clients do not say."),
    headers: z.record(text, text).optional().describe("Headers for the collector."),
    service: filled.optional().meta({ fallback: "mcpctl" }).describe("Name of the gateway in traces."),
    disabled: flag.optional().meta({ fallback: false }).describe("No traces, whatever the environment says."),
  })
    .optional()
    .describe("Traces for OpenTelemetry; OTEL_EXPORTER_OTLP_ENDPOINT in the environment switches them on too."),
  log: strict({
    format: z
      .enum(logFormats)
      .optional()
      .meta({ fallback: log.format })
      .describe("Lines for people, or JSON; auto: for people."),
    output: z
      .enum(logOutputs)
      .optional()
      .meta({ fallback: log.output })
      .describe("Where JSON goes; with --stdio, and for people, always stderr."),
    level: level.optional().meta({ fallback: "info" }).describe("How much to tell; --log-level wins."),
    levels: z
      .record(text.regex(componentPattern, { error: "expected gateway, request, backend, or backend NAME" }), level)
      .optional()
      .describe("The same for one component: gateway, request, backend, or backend NAME."),
    requests: z
      .enum(requestLogs)
      .optional()
      .meta({ fallback: log.requests })
      .describe("Which requests of clients get a line each."),
  })
    .optional()
    .describe("What is written down of what happens."),
};
