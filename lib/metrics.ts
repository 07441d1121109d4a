// Everything that there is to know of a running gateway, as metrics: what was counted, and how things are right now.

import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { writeBackends } from "./metrics-backends.ts";
import { Exposition, type Labels, one, type Sample, wantsOpenMetrics } from "./observe/exposition.ts";
import type { Histogram } from "./observe/histogram.ts";
import { LoopLag } from "./observe/loop-lag.ts";
import type { AttemptSeries, BackendMeter, Meter, RequestSeries } from "./observe/meter.ts";
import type { Listings } from "./route/fanout.ts";
import type { Hub } from "./route/hub.ts";

export interface Measured {
  readonly hub: Hub;
  readonly meter: Meter;
  readonly listings: Listings;
  readonly version: string;
  /** Requests of clients in flight. */
  readonly inFlight: () => number;
  /** What is counted of the config and of those at the door. */
  readonly counts: Counts;
}

export interface Counts {
  reloads(): number;
  /** Requests that were not let in, by error code. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** Writes metrics out; from the first time on the event loop is watched. */
export class Metrics implements Disposable {
  readonly #of: Measured;
  readonly #lag = new LoopLag();
  readonly #startedAt = Date.now() / 1000 - process.uptime();

  constructor(measured: Measured) {
    this.#of = measured;
  }

  [Symbol.dispose](): void {
    this.#lag[Symbol.dispose]();
  }

  /** All of them, in the format that the header asks for. */
  write(accept: string): { readonly text: string; readonly contentType: string } {
    const out = new Exposition(wantsOpenMetrics(accept));
    const backends = [...this.#of.hub.topology.values()];
    this.#requests(out);
    this.#clients(out);
    writeBackends(out, backends, this.#of.listings);
    this.#process(out);
    return { text: out.text(), contentType: out.contentType };
  }

  #requests(out: Exposition): void {
    const all = [...this.#of.meter.backends];
    const requests = all.flatMap(([backend, meter]) => requestsOf(meter).map((each) => [backend, each] as const));
    const attempts = all.flatMap(([backend, meter]) => attemptsOf(meter).map((each) => [backend, each] as const));
    const labels = (
      backend: string,
      { method, fault, tool = "" }: Pick<RequestSeries, "method" | "fault"> & { tool?: string },
    ): Labels => ({
      backend,
      mcp_method_name: method,
      gen_ai_tool_name: tool,
      error_type: fault,
    });
    out.counter(
      "mcpctl_requests_total",
      "Requests of clients that were answered.",
      countBy(requests, ([backend, { method }]) => ({ backend, mcp_method_name: method })),
    );
    const failed = requests.filter(([, { fault }]) => fault !== "");
    out.counter(
      "mcpctl_errors_total",
      "Requests of clients that failed, by kind of error.",
      countBy(failed, ([backend, { method, fault }]) => ({ backend, mcp_method_name: method, error_type: fault })),
    );
    out.histogram(
      "mcp_server_operation_duration_seconds",
      "Time from a request of a client to its answer.",
      requests.map(([backend, each]) => [labels(backend, each), each.durations]),
    );
    out.histogram(
      "mcp_client_operation_duration_seconds",
      "Time from a request to a backend to its answer, for each attempt.",
      attempts.map(([backend, each]) => [labels(backend, each), each.durations]),
    );
    out.histogram(
      "mcpctl_overhead_seconds",
      "Time of a request in which no backend had it: the gateway's own, with waiting and back-off.",
      all.filter(([name]) => name !== "").map(([backend, { overhead }]) => [{ backend }, overhead]),
    );
    const traffic = all.filter(([name]) => name !== "");
    out.counter(
      "mcpctl_backend_sent_bytes_total",
      "Bytes of messages to backends.",
      traffic.map(([backend, meter]) => [{ backend }, meter.traffic.sent]),
    );
    out.counter(
      "mcpctl_backend_received_bytes_total",
      "Bytes of messages from backends.",
      traffic.map(([backend, meter]) => [{ backend }, meter.traffic.received]),
    );
  }

  #clients(out: Exposition): void {
    const { hub, inFlight, counts } = this.#of;
    const { sessions, parked, traffic } = hub;
    const subscriptions = [...sessions.all()].reduce((sum, session) => sum + session.subscriptions.size, 0);
    out.gauge("mcpctl_in_flight_requests", "Requests of clients in flight.", one(inFlight()));
    out.gauge("mcpctl_sessions", "Sessions of legacy clients.", one(sessions.size));
    out.counter("mcpctl_sessions_opened_total", "Sessions of legacy clients that were opened.", one(sessions.created));
    out.gauge("mcpctl_listeners", "Streams of modern clients that listen for changes.", one(sessions.listeners));
    out.gauge("mcpctl_subscriptions", "Resources that clients are subscribed to.", one(subscriptions));
    out.gauge("mcpctl_parked_calls", "Calls that wait for the input of a modern client.", one(parked.size));
    out.counter("mcpctl_client_received_bytes_total", "Bytes from clients over HTTP.", one(traffic.received));
    out.counter("mcpctl_client_sent_bytes_total", "Bytes to clients over HTTP.", one(traffic.sent));
    const refused = [...counts.refusals].map(([code, count]): Sample => [{ code }, count]);
    out.counter("mcpctl_refused_requests_total", "Requests that were not let in, by error code.", refused);
    out.counter("mcpctl_config_reloads_total", "Configs that were applied after the first one.", one(counts.reloads()));
  }

  #process(out: Exposition): void {
    const { version, hub } = this.#of;
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const { last, most } = this.#lag.figures;
    out.gauge("mcpctl_build_info", "The version that runs.", [[{ version }, 1]]);
    out.gauge(
      "mcpctl_event_loop_lag_seconds",
      "How late the event loop was when it was looked at last.",
      one(last / 1000),
    );
    out.gauge("mcpctl_event_loop_lag_max_seconds", "The latest that it was in two minutes.", one(most / 1000));
    out.gauge("mcpctl_heap_bytes", "Memory of the JavaScript heap in use.", one(heapUsed));
    out.gauge("process_resident_memory_bytes", "Resident memory.", one(rss));
    out.counter("process_cpu_seconds_total", "Processor time, user and system.", one((user + system) / 1e6));
    out.gauge("process_start_time_seconds", "When the process was started, Unix time.", one(this.#startedAt));
    out.gauge("process_open_fds", "Open files and sockets.", openFiles());
    out.gauge(
      "mcpctl_certificate_expiry_timestamp_seconds",
      "When the certificate that clients see expires, Unix time.",
      expiryOf(hub.plan.tls?.cert),
    );
  }
}

function requestsOf(meter: BackendMeter): readonly RequestSeries[] {
  return [...meter.requests.values()];
}

function attemptsOf(meter: BackendMeter): readonly AttemptSeries[] {
  return [...meter.attempts.values()];
}

/** How many there are of each set of labels. */
function countBy<Each extends readonly [string, { readonly durations: Histogram }]>(
  all: readonly Each[],
  labelsOf: (each: Each) => Labels,
): readonly Sample[] {
  const counts = new Map<string, [Labels, number]>();
  for (const each of all) {
    const labels = labelsOf(each);
    const key = JSON.stringify(labels);
    const known = counts.get(key);
    counts.set(key, [labels, (known?.[1] ?? 0) + each[1].durations.count]);
  }
  return [...counts.values()];
}

/** Linux alone tells. */
function openFiles(): readonly Sample[] {
  try {
    return one(readdirSync("/proc/self/fd").length);
  } catch {
    return [];
  }
}

function expiryOf(file: string | undefined): readonly Sample[] {
  if (file === undefined) return [];
  try {
    const { validTo } = new X509Certificate(readFileSync(file));
    return one(Date.parse(validTo) / 1000);
  } catch {
    // Whoever serves it says what is wrong with it.
    return [];
  }
}
