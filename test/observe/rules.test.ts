// The alert rules and the dashboard: whether they are valid, name metrics that there are, and say what happens, and no more.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createFolder } from "../cli/kit.ts";
import { Gateway, recordOf, until } from "../e2e/kit.ts";
import { freePort } from "../kit/engine.ts";
import { projectRoot, startProcess } from "../kit/process.ts";
import { prometheusFolder, promtool } from "../kit/prometheus.ts";
import { RawClient } from "../kit/raw-client.ts";
import { readmeRows } from "../kit/readme.ts";
import { FaultyServer } from "./kit.ts";

const rulesFile = join(projectRoot, "deploy/prometheus-rules.yaml");
const rules = readFileSync(rulesFile, "utf8");
const skip = prometheusFolder === undefined;

/** The metrics that an expression names, without the parts of histograms. */
function metricsIn(text: string): readonly string[] {
  return [...text.matchAll(/\b(?:mcpctl|mcp|process)_[a-z_]+/g)]
    .map(([name]) => name.replace(/_(?:bucket|sum|count)$/, ""))
    .filter((name) => name !== "mcp_method_name");
}

test("rules: every metric in the rules and in the dashboard exists", () => {
  const known = new Set(readmeRows("metrics").map(([name = ""]) => name.replaceAll("`", "")));
  const dashboard = JSON.parse(readFileSync(join(projectRoot, "deploy/grafana-dashboard.json"), "utf8")) as unknown;
  const { panels } = recordOf(dashboard);
  assert.ok(Array.isArray(panels) && panels.length > 20);
  const expressions = panels.flatMap((panel) => {
    const { targets } = recordOf(panel);
    return Array.isArray(targets) ? targets.map((target) => String(recordOf(target)["expr"])) : [];
  });
  const shown = expressions.flatMap(metricsIn);
  assert.deepEqual(
    [...new Set([...shown, ...metricsIn(rules.replaceAll(/\bmcpctl:[a-z:0-9_]+/g, ""))])].filter(
      (name) => !known.has(name),
    ),
    [],
  );
  // And the other way round: what is counted can be seen.
  assert.deepEqual(
    [...known].filter((name) => !shown.includes(name)),
    [],
  );
});

test("rules: promtool takes the rules, and each expression of the dashboard", { skip }, () => {
  const checked = promtool(["check", "rules", rulesFile]);
  assert.equal(checked.code, 0, checked.output);
  const { panels } = recordOf(JSON.parse(readFileSync(join(projectRoot, "deploy/grafana-dashboard.json"), "utf8")));
  const expressions = (Array.isArray(panels) ? panels : []).flatMap((panel) => {
    const { targets } = recordOf(panel);
    return Array.isArray(targets) ? targets.map((target) => String(recordOf(target)["expr"])) : [];
  });
  const asRules = expressions.map((expr, at) => {
    const plain = expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(?:job|instance|backend)/g, ".*");
    return `      - record: panel:${at}\n        expr: ${JSON.stringify(plain)}`;
  });
  using folder = createFolder({
    "dashboard.yaml": `groups:\n  - name: dashboard\n    rules:\n${asRules.join("\n")}\n`,
  });
  const taken = promtool(["check", "rules", join(folder.path, "dashboard.yaml")]);
  assert.equal(taken.code, 0, taken.output);
});

interface Case {
  readonly alert: string;
  /** Series and their values, one a minute. */
  readonly series: Readonly<Record<string, string>>;
  /** When it fires and when no more, in minutes. */
  readonly firesAt: string;
  readonly overAt: string;
  readonly labels: string;
}

const call = 'job="mcpctl",instance="a",backend="b",mcp_method_name="tools/call"';
const own = 'job="mcpctl",instance="a"';
const of = `${own},backend="b"`;
const failing = {
  [`mcpctl_requests_total{${call}}`]: "0+60x100",
  [`mcpctl_errors_total{${call},error_type="unreachable"}`]: "0+0x10 0+30x30 900+0x60",
};
const labels = "backend: b, instance: a, job: mcpctl";

const cases: readonly Case[] = [
  {
    alert: "McpctlAbsent",
    series: { 'up{job="mcpctl",instance="a"}': "1x5 0x10 1x20" },
    firesAt: "10m",
    overAt: "20m",
    labels: "instance: a, job: mcpctl, severity: critical",
  },
  {
    alert: "McpctlBackendDown",
    series: { [`mcpctl_backend_up{${of}}`]: "1x5 0x10 1x20" },
    firesAt: "10m",
    overAt: "20m",
    labels: `${labels}, severity: warning`,
  },
  {
    alert: "McpctlNoBackend",
    series: { [`mcpctl_backend_up{${of}}`]: "1x5 0x10 1x20" },
    firesAt: "10m",
    overAt: "20m",
    labels: "instance: a, job: mcpctl, severity: critical",
  },
  {
    alert: "McpctlReplicaDown",
    series: { [`mcpctl_backend_up{${of}}`]: "1x40", [`mcpctl_replica_up{${of},replica="1"}`]: "1x5 0x15 1x20" },
    firesAt: "15m",
    overAt: "25m",
    labels: `${labels}, replica: "1", severity: info`,
  },
  { alert: "McpctlErrors", series: failing, firesAt: "25m", overAt: "60m", labels: `${labels}, severity: warning` },
  {
    alert: "McpctlErrorBudgetBurnsFast",
    series: failing,
    firesAt: "25m",
    overAt: "60m",
    labels: `${labels}, severity: critical`,
  },
  {
    alert: "McpctlErrorBudgetBurnsSlowly",
    series: failing,
    firesAt: "40m",
    overAt: "90m",
    labels: `${labels}, severity: warning`,
  },
  {
    alert: "McpctlSlow",
    series: {
      [`mcp_server_operation_duration_seconds_bucket{${call},le="10.0"}`]: "0+60x10 600+0x30 600+60x60",
      [`mcp_server_operation_duration_seconds_bucket{${call},le="30.0"}`]: "0+60x100",
      [`mcp_server_operation_duration_seconds_bucket{${call},le="+Inf"}`]: "0+60x100",
    },
    firesAt: "30m",
    overAt: "60m",
    labels: `${labels}, severity: warning`,
  },
  {
    alert: "McpctlOverhead",
    series: {
      [`mcpctl_overhead_seconds_bucket{${of},le="0.1"}`]: "0+60x10 600+0x30 600+60x60",
      [`mcpctl_overhead_seconds_bucket{${of},le="0.5"}`]: "0+60x100",
      [`mcpctl_overhead_seconds_bucket{${of},le="+Inf"}`]: "0+60x100",
    },
    firesAt: "30m",
    overAt: "60m",
    labels: `${labels}, severity: warning`,
  },
  {
    alert: "McpctlEventLoopLag",
    series: { [`mcpctl_event_loop_lag_seconds{${own}}`]: "0x5 1x10 0x20" },
    firesAt: "10m",
    overAt: "20m",
    labels: "instance: a, job: mcpctl, severity: warning",
  },
  {
    alert: "McpctlBreakerOpen",
    series: { [`mcpctl_breaker_state{${of},replica="0",state="closed"}`]: "1x5 0x10 1x20" },
    firesAt: "10m",
    overAt: "20m",
    labels: `${labels}, replica: "0", state: closed, severity: warning`,
  },
  {
    alert: "McpctlRetryBudgetSpent",
    series: { [`mcpctl_retry_budget_refusals_total{${of}}`]: "0x5 0+5x10 50x30" },
    firesAt: "12m",
    overAt: "30m",
    labels: `${labels}, severity: warning`,
  },
  {
    alert: "McpctlQueue",
    series: { [`mcpctl_backend_queued_calls{${of},reason="slot"}`]: "0x5 30x10 0x20" },
    firesAt: "12m",
    overAt: "20m",
    labels: `${labels}, severity: warning`,
  },
  {
    alert: "McpctlCatalogStale",
    series: { [`mcpctl_catalog_stale{${of},kind="tools"}`]: "0x5 1x20 0x20" },
    firesAt: "20m",
    overAt: "30m",
    labels: `${labels}, kind: tools, severity: warning`,
  },
  {
    alert: "McpctlCertificateExpires",
    series: { [`mcpctl_certificate_expiry_timestamp_seconds{${own}}`]: "100000x100 9000000x100" },
    firesAt: "90m",
    overAt: "120m",
    labels: "instance: a, job: mcpctl, severity: warning",
  },
  {
    alert: "McpctlCertificateExpiresSoon",
    series: { [`mcpctl_certificate_expiry_timestamp_seconds{${own}}`]: "100000x100 9000000x100" },
    firesAt: "90m",
    overAt: "120m",
    labels: "instance: a, job: mcpctl, severity: critical",
  },
];

test("rules: each alert fires when its fault is there, and not after it", { skip }, () => {
  const named = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.deepEqual(new Set(named), new Set(cases.map(({ alert }) => alert)));
  const tests = cases.map(({ alert, series, firesAt, overAt, labels: own }) => ({
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    // Labels alone: what is said of them has the value in it.
    alert_rule_test: [
      { eval_time: firesAt, alertname: alert, exp_alerts: [{ exp_labels: labelsOf(own) }] },
      { eval_time: overAt, alertname: alert, exp_alerts: [] },
    ],
  }));
  using folder = createFolder({
    // JSON is YAML; without annotations, which promtool would compare too.
    "rules.yaml": rules.replaceAll(/^ +annotations:\n(?: {10}.*\n)+/gm, ""),
    "tests.yaml": JSON.stringify({ rule_files: ["rules.yaml"], evaluation_interval: "1m", tests }),
  });
  const ran = promtool(["test", "rules", join(folder.path, "tests.yaml")]);
  assert.equal(ran.code, 0, ran.output);
});

function labelsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(", ").map((pair) => pair.replaceAll('"', "").split(": ")));
}

test(
  "rules: Debian's Prometheus sees a fault of a running gateway come and go",
  { skip, timeout: 120_000 },
  async () => {
    let server = await FaultyServer.start();
    const { url } = server;
    await using gateway = await Gateway.start({
      backends: { b: { url, timeouts: { health: "200ms", down: "100ms" } } },
    });
    await gateway.up("b");
    const target = new URL(gateway.url()).host;
    // The same rules, hurried.
    const quick = rules.replaceAll(/for: \w+/g, "for: 0s").replaceAll(/\[(?:5m|30m|1h|6h)\]/g, "[5s]");
    const config = {
      global: { scrape_interval: "250ms", scrape_timeout: "200ms", evaluation_interval: "250ms" },
      rule_files: ["rules.yaml"],
      scrape_configs: [{ job_name: "mcpctl", static_configs: [{ targets: [target] }] }],
    };
    using folder = createFolder({ "rules.yaml": quick, "prometheus.yaml": JSON.stringify(config) });
    writeFileSync(join(folder.path, "web.yaml"), "");
    const port = await freePort();
    const args = [
      `--config.file=${join(folder.path, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder.path, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    const prometheus = startProcess(join(prometheusFolder ?? "", "prometheus"), args, { cwd: folder.path });
    try {
      await prometheus.line(/Server is ready to receive web requests/, "stderr");
      const client = new RawClient(gateway.url());
      await client.initialize();
      const calls = async (): Promise<void> => {
        for (let at = 0; at < 5; at += 1)
          await client.request("tools/call", { name: "b__ok", arguments: {} }, `${Math.random()}`);
      };
      const firing = async (): Promise<readonly string[]> => {
        const { data } = recordOf(await (await fetch(`http://127.0.0.1:${port}/api/v1/alerts`)).json());
        const { alerts } = recordOf(data);
        return (Array.isArray(alerts) ? alerts : [])
          .map(recordOf)
          .filter(({ state }) => state === "firing")
          .map(({ labels: all }) => String(recordOf(all)["alertname"]));
      };
      const untilAlerts = async (holds: (alerts: readonly string[]) => boolean, what: string): Promise<void> => {
        const isSo = async (): Promise<boolean> => {
          await calls().catch(() => {});
          return holds(await firing());
        };
        await until(isSo, what, 60_000);
      };
      await untilAlerts((alerts) => alerts.length === 0, "nothing fires");
      await server[Symbol.asyncDispose]();
      const bad = [
        "McpctlBackendDown",
        "McpctlNoBackend",
        "McpctlErrors",
        "McpctlErrorBudgetBurnsFast",
        "McpctlCatalogStale",
      ];
      await untilAlerts((alerts) => bad.every((name) => alerts.includes(name)), "the fault is seen");
      server = await FaultyServer.start(Number(new URL(url).port));
      await untilAlerts((alerts) => !bad.some((name) => alerts.includes(name)), "the fault is over");
    } finally {
      await prometheus.stop(5_000);
      await server[Symbol.asyncDispose]();
    }
  },
);
