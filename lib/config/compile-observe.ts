// What a checked config says of metrics, traces and logs, as a plan.

import { metricsListen, type MetricsPlan, observeDefaults, type ObservePlan, type TracesPlan } from "./observe.ts";
import type { MetricsConfig, ObserveConfig, TracesConfig } from "./rules-observe.ts";

export function compileObserve({ metrics, traces, log }: ObserveConfig): ObservePlan {
  return {
    metrics: metrics ? compileMetrics(metrics) : observeDefaults.metrics,
    ...(traces ? { traces: compileTraces(traces) } : {}),
    log: {
      format: log?.format ?? observeDefaults.log.format,
      output: log?.output ?? observeDefaults.log.output,
      ...(log?.level === undefined ? {} : { level: log.level }),
      levels: log?.levels ?? {},
      requests: log?.requests ?? observeDefaults.log.requests,
    },
  };
}

function compileMetrics({ disabled = false, listen, tools }: MetricsConfig): MetricsPlan {
  return {
    isOff: disabled,
    ...(listen
      ? { listen: { host: bare(listen.host ?? metricsListen.host), port: listen.port ?? metricsListen.port } }
      : {}),
    maxTools: tools ?? observeDefaults.metrics.maxTools,
  };
}

/** The brackets of an IPv6 address are no part of it. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function compileTraces({ disabled = false, endpoint, sample, headers = {}, service }: TracesConfig): TracesPlan {
  return {
    isOff: disabled,
    ...(endpoint === undefined ? {} : { endpoint: endpoint.replace(/\/+$/, "") }),
    ...(sample === undefined ? {} : { sample }),
    headers,
    ...(service === undefined ? {} : { service }),
  };
}
