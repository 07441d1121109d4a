// Metrics of several processes: what adds up is added, the rest is told apart, and no sum gets smaller when a process ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Exposition, one } from "../../lib/observe/exposition.ts";
import { Histogram } from "../../lib/observe/histogram.ts";
import { Together } from "../../lib/observe/together.ts";
import { readmeRows } from "../kit/readme.ts";
import { promtool, prometheusFolder } from "../kit/prometheus.ts";
import { parseMetrics, sumOf } from "./kit.ts";

const open = "application/openmetrics-text; version=1.0.0";

interface Counted {
  readonly calls: number;
  readonly backend?: string;
  readonly exemplarAt?: number;
}

/** What a process writes for the others. */
function textOf({ calls, backend = 'a"}\\,b', exemplarAt = 1 }: Counted): string {
  const durations = new Histogram([0.1, 1]);
  for (let left = calls; left > 0; left -= 1) durations.add(0.5);
  durations.mark(1, { trace: `t${exemplarAt}`, span: "s", value: 0.5, at: exemplarAt * 1000 });
  const out = new Exposition(true);
  out.counter("mcpctl_requests_total", "Requests.", [[{ backend, mcp_method_name: "tools/call" }, calls]]);
  out.histogram("mcp_server_operation_duration_seconds", "Time.", [[{ backend }, durations]]);
  out.gauge("mcpctl_in_flight_requests", "In flight.", one(calls));
  out.gauge("mcpctl_backend_up", "Up.", [[{ backend }, calls % 2]]);
  out.gauge("mcpctl_cache_hit_ratio", "Ratio.", one(Number.NaN));
  out.counter("process_cpu_seconds_total", "Time.", one(calls));
  return out.text();
}

const part = (process: string, counted: Counted, isOld = false) => ({ process, text: textOf(counted), isOld });

test("together: counters, histograms and amounts are added, and states say whose they are", () => {
  const { text, contentType } = new Together().write([part("0", { calls: 3 }), part("1", { calls: 4 })], "*/*");
  assert.match(contentType, /text\/plain/);
  const samples = parseMetrics(text);
  assert.equal(sumOf(samples, "mcpctl_requests_total"), 7);
  assert.equal(sumOf(samples, "mcp_server_operation_duration_seconds_count"), 7);
  assert.equal(sumOf(samples, "mcp_server_operation_duration_seconds_bucket", { le: "0.1" }), 0);
  assert.equal(sumOf(samples, "mcp_server_operation_duration_seconds_bucket", { le: "+Inf" }), 7);
  assert.equal(sumOf(samples, "mcp_server_operation_duration_seconds_sum"), 3.5);
  assert.equal(sumOf(samples, "mcpctl_in_flight_requests"), 7);
  assert.equal([...samples.keys()].filter((key) => key.startsWith("mcpctl_requests_total")).length, 1);
  assert.equal(sumOf(samples, "mcpctl_backend_up", { worker: "0" }), 1);
  assert.equal(sumOf(samples, "mcpctl_backend_up", { worker: "1" }), 0);
  assert.equal(sumOf(samples, "process_cpu_seconds_total", { worker: "1" }), 4);
  assert.ok(!text.includes("trace_id") && !text.includes("# EOF"));
});

test("together: OpenMetrics keeps the last exemplar, and both formats are written as one process writes them", () => {
  const parts = [part("0", { calls: 1, exemplarAt: 20 }), part("1", { calls: 1, exemplarAt: 3 })];
  const { text } = new Together().write(parts, open);
  assert.match(text, /_bucket\{.*le="1\.0"\} 2 # \{trace_id="t20",span_id="s"\} 0\.5 20\.000\n/);
  assert.match(text, /^# TYPE mcpctl_requests counter$/m);
  assert.match(text, /# EOF\n$/);
  assert.match(new Together().write(parts, "*/*").text, /^# TYPE mcpctl_requests_total counter$/m);
  assert.match(text, /mcpctl_cache_hit_ratio\{worker="0"\} NaN/);
});

test("together: what ended and silent processes have counted stays, and how they were does not", () => {
  const together = new Together();
  together.retire(textOf({ calls: 10 }));
  const silent = part("1", { calls: 5 }, true);
  const samples = parseMetrics(together.write([part("0", { calls: 1 }), silent], "*/*").text);
  assert.equal(sumOf(samples, "mcpctl_requests_total"), 16);
  assert.equal(sumOf(samples, "mcp_server_operation_duration_seconds_count"), 16);
  assert.equal(sumOf(samples, "mcpctl_in_flight_requests"), 1);
  assert.equal(sumOf(samples, "process_cpu_seconds_total"), 1);
});

test("together: a backend that nobody has any more is forgotten", () => {
  const together = new Together();
  together.retire(textOf({ calls: 10, backend: "gone" }));
  together.retire(textOf({ calls: 2, backend: "here" }));
  const { text } = together.write([part("0", { calls: 1, backend: "here" })], "*/*");
  assert.ok(!text.includes("gone"));
  assert.equal(sumOf(parseMetrics(text), "mcpctl_requests_total"), 3);
});

test("together: every gauge and counter of the README has its rule on purpose", () => {
  const rows = readmeRows("metrics");
  const text = rows.map(([name = "", type = ""]) => {
    const plain = name.replaceAll("`", "");
    const family = type === "counter" ? plain.replace(/_total$/, "") : plain;
    return type === "histogram" ? "" : `# HELP ${family} x\n# TYPE ${family} ${type}\n${plain} 1\n`;
  });
  const samples = new Together().write([{ process: "7", text: text.join(""), isOld: false }], "*/*").text;
  const apart = rows.flatMap(([name = ""]) => {
    const plain = name.replaceAll("`", "");
    return samples.includes(`\n${plain}{worker="7"} 1`) ? [plain] : [];
  });
  assert.deepEqual(apart, [
    "mcpctl_sessions",
    "mcpctl_subscriptions",
    "mcpctl_config_reloads_total",
    "mcpctl_backend_up",
    "mcpctl_backend_state",
    "mcpctl_replica_up",
    "mcpctl_breaker_state",
    "mcpctl_cache_hit_ratio",
    "mcpctl_catalog_items",
    "mcpctl_catalog_age_seconds",
    "mcpctl_catalog_stale",
    "mcpctl_certificate_expiry_timestamp_seconds",
    "mcpctl_event_loop_lag_seconds",
    "mcpctl_event_loop_lag_max_seconds",
    "mcpctl_heap_bytes",
    "mcpctl_build_info",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    "process_open_fds",
  ]);
});

test("together: promtool finds nothing to object to", { skip: prometheusFolder === undefined }, () => {
  const together = new Together();
  together.retire(textOf({ calls: 10 }));
  const { text } = together.write([part("0", { calls: 3 }), part("1", { calls: 4 })], "*/*");
  const checked = promtool(["check", "metrics"], text);
  assert.equal(checked.code, 0, checked.output);
});
