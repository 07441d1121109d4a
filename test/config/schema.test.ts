// The JSON Schema that editors get, and the words that people are asked whether they meant.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDocument } from "yaml";
import * as z from "zod";
import { configJsonSchema } from "../../lib/config/load.ts";
import { nearest } from "../../lib/config/problems.ts";

const yaml = `
listen: { host: 0.0.0.0, port: "\${PORT:-7400}" }
naming: none
backends:
  fs: { command: npx, args: [-y, "@scope/server", "/data"], env: { A: "\${B:-x}" }, cwd: sub }
  web:
    url: https://example.com/mcp
    headers: { Authorization: "Bearer \${TOKEN}" }
    isolation: shared
    timeouts: { connect: 10s, call: 5m, health: 0s }
  clock: { replicas: [{ url: "http://127.0.0.1:1/mcp" }, { command: ./bin/clock, inheritEnv: true }] }
  "1": { url: "http://127.0.0.1:2/" }
  off: { url: "\${NOT_SET}", disabled: true }
priority: [web]
timeouts: { drain: 1s, list: 500ms, resume: 0s, keepAlive: 20s, session: 2h }
limits: { body: 1MiB, message: 10MB, pages: 2, items: 3, sessions: 4 }
allowedHosts: [a]
allowedOrigins: ["https://b"]
sealKeys: ["\${KEY}"]
cluster: { url: "valkey://h:6379/1", prefix: a }
pagination: { pageSize: 50, maxPageSize: "200" }
views: { docs: { backends: [web], tags: [a], tools: ["web__*"], resources: ["x:*"], disclosure: search } }
disclosure: full
lock: enforce
lockFile: sub/mcp.lock
metrics: { listen: 9464, tools: 5 }
traces: { endpoint: "\${COLLECTOR:-http://127.0.0.1:4318}", sample: 1%, headers: { a: b } }
log: { format: json, level: warn, levels: { backend fs: debug }, requests: all }
`;

test("schema: the JSON Schema accepts what people write and refuses what is wrong", async () => {
  const schema = z.fromJSONSchema(JSON.parse(JSON.stringify(await configJsonSchema())));
  const good: unknown[] = [
    parseDocument(yaml).toJS(),
    { backends: {} },
    { $schema: "x", listen: 7337, mcpServers: { "any name": { command: "x", other: 1 } } },
    { backends: { a: { url: "${URL}", timeouts: { call: "${T:-1s}" } } } },
  ];
  for (const value of good) assert.deepEqual(schema.safeParse(value).error?.issues, undefined, JSON.stringify(value));
  const bad: unknown[] = [
    { backend: {} },
    { backends: { a: { comand: "x" } } },
    { backends: { a: { url: "x", timeouts: { call: 30 } } } },
    { backends: { a: { url: "x", timeouts: { call: "30" } } } },
    { limits: { body: "16" } },
    { listen: { port: 70_000 } },
    { naming: "both" },
    { views: { x: { tool: ["a"] } } },
    { lock: "on" },
    { metrics: { listen: 70_000 } },
    { traces: { sample: 1 } },
    { log: { levels: { gateway: "loud" } } },
  ];
  for (const value of bad) assert.ok(!schema.safeParse(value).success, JSON.stringify(value));
});

test("schema: every key in the JSON Schema has a description, and its default is the plan's", async () => {
  const schema: unknown = await configJsonSchema();
  const text = JSON.stringify(schema);
  const properties = (value: unknown, path: string): string[] => {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
      if (key === "oneOf") return [];
      const here = key === "properties" && typeof inner === "object" && inner !== null ? Object.entries(inner) : [];
      const bare = here.filter(([, one]) => typeof one !== "object" || one === null || !("description" in one));
      return [...bare.map(([name]) => `${path}/${name}`), ...properties(inner, `${path}/${key}`)];
    });
  };
  assert.deepEqual(properties(schema, ""), []);
  for (const fallback of ['"16MiB"', '"64MiB"', '"10s"', '"3s"', '"5s"', '"15s"', '"1h"', '"30s"', '"10m"', "7337"]) {
    assert.ok(text.includes(`"default":${fallback}`), fallback);
  }
});

test("schema: suggestions are near, and silent where nothing is", () => {
  const known = ["command", "args", "env", "url", "headers", "keepAlive", "allowedHosts"];
  const cases: [string, string | undefined][] = [
    ["comand", "command"],
    ["commnad", "command"],
    ["cmd", undefined],
    ["keep_alive", "keepAlive"],
    ["allowed-hosts", "allowedHosts"],
    ["header", "headers"],
    ["arg", "args"],
    ["uri", "url"],
    ["x", undefined],
    ["extends", undefined],
    ["x".repeat(10_000), undefined],
  ];
  for (const [word, meant] of cases) assert.equal(nearest(word, known), meant, word);
});
