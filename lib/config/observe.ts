// The plan of what is seen of the gateway: metrics, traces and logs.

import type { LogFormat, LogLevelName, LogOutput, RequestLog } from "./rules-observe.ts";

export interface ObservePlan {
  readonly metrics: MetricsPlan;
  /** Absent: as the environment says. */
  readonly traces?: TracesPlan;
  readonly log: LogPlan;
}

export interface MetricsPlan {
  /** Nothing is counted. */
  readonly isOff: boolean;
  /** Absent: at /metrics where clients come in. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Tools with a series of their own; the others share one. */
  readonly maxTools: number;
}

export interface TracesPlan {
  /** Whatever the environment says. */
  readonly isOff: boolean;
  /** Base address of the collector; absent: as the environment says. */
  readonly endpoint?: string;
  /** Share of the calls that are recorded where their clients do not say; absent: as the environment says. */
  readonly sample?: number;
  /** Secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly service?: string;
}

export interface LogPlan {
  readonly format: LogFormat;
  readonly output: LogOutput;
  /** Absent: info, and warn for the demo. */
  readonly level?: LogLevelName;
  /** By component. */
  readonly levels: Readonly<Record<string, LogLevelName>>;
  readonly requests: RequestLog;
}

export const observeDefaults: ObservePlan = {
  metrics: { isOff: false, maxTools: 200 },
  log: { format: "auto", output: "stderr", levels: {}, requests: "off" },
};
/** Where metrics have a listener of their own: the port that exporters of OpenTelemetry use. */
export const metricsListen: { readonly host: string; readonly port: number } = { host: "127.0.0.1", port: 9464 };

/** Whether calls are to be traced: by the config, or by the environment as OpenTelemetry defines it. */
export function wantsTraces({ traces }: ObservePlan, env: Readonly<Record<string, string | undefined>>): boolean {
  if (traces?.isOff === true || env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return false;
  if (traces) return true;
  if (env["OTEL_TRACES_EXPORTER"] === "none") return false;
  return Boolean(env["OTEL_EXPORTER_OTLP_ENDPOINT"] || env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]);
}
