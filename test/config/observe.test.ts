// What a config says of metrics, traces and logs, and what is wrong with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf, problemsOf } from "./kit.ts";

const yaml = `
backends: {}
metrics: { disabled: "true", listen: "[::1]:9464", tools: 5 }
traces: { endpoint: "http://127.0.0.1:4318/", sample: 5%, headers: { key: "\${KEY}" }, service: x, disabled: true }
log: { format: json, output: stdout, level: warn, levels: { backend fs: debug, request: info }, requests: failed }
`;

test("observe: what the config says is in the plan", async () => {
  const { observe } = await planOf("mcpctl.yaml", yaml, { KEY: "secret" });
  assert.deepEqual(JSON.parse(JSON.stringify(observe)), {
    metrics: { isOff: true, listen: { host: "::1", port: 9464 }, maxTools: 5 },
    traces: {
      isOff: true,
      endpoint: "http://127.0.0.1:4318",
      sample: 0.05,
      headers: { key: "secret" },
      service: "x",
    },
    log: {
      format: "json",
      output: "stdout",
      level: "warn",
      levels: { "backend fs": "debug", request: "info" },
      requests: "failed",
    },
  });
});

test("observe: what is wrong is named", async () => {
  const cases: Readonly<Record<string, string>> = {
    "metrics: { listen: 70000 }": "metrics.listen",
    "metrics: { tools: -1 }": "metrics.tools",
    "traces: { sample: 0.1 }": "traces.sample",
    "traces: { endpoint: 'ftp://x' }": "traces.endpoint",
    "traces: { endpoint: 'http://user:word@x' }": "traces.endpoint",
    "log: { format: xml }": "log.format",
    "log: { levels: { gateway: loud } }": "log.levels.gateway",
    "log: { requests: yes }": "log.requests",
  };
  for (const [text, path] of Object.entries(cases)) {
    const problems = await problemsOf("mcpctl.yaml", `backends: {}\n${text}\n`);
    assert.ok(
      problems.some((problem) => JSON.stringify(problem).includes(JSON.stringify(path.split(".")))),
      `${text}: ${JSON.stringify(problems)}`,
    );
  }
});
