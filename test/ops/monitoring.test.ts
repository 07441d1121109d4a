// The plugin line keeps the grammar of monitoring plugins, and the page that of Prometheus.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { provide } from "../kit/packages.ts";
import { pluginExits, pluginLine, prometheusPage } from "../../lib/ops/monitoring.ts";
import type { ProbeReport, State } from "../../lib/ops/probe.ts";
import { parseTarget, resolveTargets } from "../../lib/ops/target.ts";

async function report(state: State, more: Partial<ProbeReport> = {}): Promise<ProbeReport> {
  const resolved = await resolveTargets(parseTarget("http://it's=odd|.example/mcp".replace(/['=|]/g, "")), {
    cwd: "/",
    env: {},
    files: [],
  });
  assert.ok(resolved.kind === "ok");
  const [target] = resolved.targets;
  assert.ok(target);
  return {
    target,
    replica: 0,
    state,
    ms: 123.4,
    phases: [{ name: "handshake", startMs: 0, ms: 100, ok: true, detail: "" }],
    protocolVersion: "",
    era: undefined,
    serverName: "",
    serverVersion: "",
    lists: { tools: { pages: 1, items: 2, bytes: 3, tokens: 4 } },
    pings: [1, 3, 2],
    certificateExpiresAt: 1_800_000_000_000,
    warnings: [{ rule: "stdout", text: "a | in\ntwo lines" }],
    failure: undefined,
    ...more,
  };
}

/** Monitoring Plugins Development Guidelines, "Performance data". */
const datum = /^(?:'(?:[^'=]|'')+'|[^'=\s]+)=-?\d+(?:\.\d+)?(?:s|us|ms|%|B|KB|MB|TB|c)?(?:;[\d.:~@-]*){0,4}$/;

test("monitoring: a plugin's line, its state and its exit code", async () => {
  for (const [states, state, exit] of [
    [["healthy", "healthy"], "OK", 0],
    [["healthy", "degraded"], "WARNING", 1],
    [["degraded", "down"], "CRITICAL", 2],
    [["auth"], "CRITICAL", 2],
    [[], "UNKNOWN", 3],
  ] as const) {
    const said = pluginLine(await Promise.all(states.map((each) => report(each))));
    assert.equal(said.state, state);
    assert.equal(pluginExits[said.state], exit);
    const [head = "", data = "", ...more] = said.line.split("|");
    assert.ok(head.startsWith(`MCP ${state} - `) && !said.line.includes("\n") && more.length === 0, said.line);
    for (const each of data.trim().match(/'[^']*'=\S+|\S+/g) ?? []) assert.match(each, datum);
  }
});

const sample = /^[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)*\})? -?[\d.e+-]+$/;
const promtool = provide("promtool", "prometheus");

test("monitoring: the page for Prometheus", async () => {
  const page = prometheusPage(
    await Promise.all([report("healthy"), report("down", { replica: 1 })]),
    1_700_000_000_000,
  );
  const seen = new Set<string>();
  let current = "";
  for (const line of page.trimEnd().split("\n")) {
    const [, kind, name = ""] = /^# (HELP|TYPE) ([a-z_]+) /.exec(line) ?? [];
    if (kind === "HELP") {
      assert.ok(!seen.has(name), `${name} once`);
      seen.add(name);
      current = name;
    } else if (kind === undefined) {
      assert.match(line, sample);
      assert.ok(line.startsWith(current), line);
    }
  }
  assert.ok(page.endsWith("\n"));
  if (promtool) {
    const checked = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  }
});
