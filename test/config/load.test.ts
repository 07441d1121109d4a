// From files to a plan: discovery, formats, merging, variables, and what the plan holds.

import assert from "node:assert/strict";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { observeDefaults } from "../../lib/config/observe.ts";
import { type BackendPlan, defaultPlan, planDefaults, samePlan } from "../../lib/config/plan.ts";
import { createFolder, planIn, planOf, problemsOf } from "./kit.ts";

const sizes = { bodyBytes: 2 ** 20, headerBytes: 8192, maxDepth: 40, messageBytes: 10_000_000, pages: 2, items: 3 };
const counts = { sessions: 4, streams: 8, parked: 5, connections: 6, rate: { calls: 7, perMs: 60_000 } };
const calls = { concurrency: 9, quota: 10 };
const toolLimits = [{ tools: "a*", rate: { calls: 1, perMs: 1000 }, concurrency: 2, cost: 0 }];
const yaml = `
listen: { host: 0.0.0.0, port: "\${PORT:-7400}" }
naming: none
backends:
  fs: { command: npx, args: [-y, "@scope/server", "/data"], env: { A: "\${B:-x}" }, cwd: sub }
  web:
    url: https://example.com/mcp
    transport: sse
    headers: { Authorization: "Bearer \${TOKEN}" }
    isolation: shared
    timeouts: { connect: 10s, call: 5m, health: 0s, listing: 1m }
    limits: { rate: 5/s, quota: 6, tools: { "a*": { rate: 1/s, concurrency: 2, cost: 0 } } }
  clock: { replicas: [{ url: "http://127.0.0.1:1/mcp" }, { command: ./bin/clock, inheritEnv: true }] }
  "1": { url: "http://127.0.0.1:2/" }
  off: { url: "\${NOT_SET}", disabled: true }
priority: [web]
front: { sse: "true" }
timeouts: { drain: 1s, list: 500ms, grace: 1m, resume: 0s, keepAlive: 20s, session: 2h, input: 90s }
limits: { body: 1MiB, message: 10MB, pages: 2, items: 3, sessions: 4, parked: 5, connections: 6, rate: 7/m,
  header: 8KiB, nesting: 40, streams: 8, concurrency: 9, quota: 10 }
allowedHosts: [a]
allowedOrigins: ["https://b"]
sealKeys: ["\${KEY}"]
pagination: { pageSize: "off", maxPageSize: 5 }
`;
const env = { TOKEN: "t", KEY: "0123456789abcdef", B: "" };

test("load: a full YAML file becomes the plan that it describes", async () => {
  using folder = createFolder({ "mcpctl.yaml": yaml });
  const loaded = await folder.load([], env);
  const plan = planIn(loaded);
  assert.deepEqual(loaded.files, [join(folder.path, "mcpctl.yaml")]);
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), {
    listen: { host: "0.0.0.0", port: 7400 },
    naming: "none",
    separator: "__",
    priority: ["web", "fs", "clock", "1"],
    backends: [
      {
        name: "fs",
        replicas: [
          {
            kind: "stdio",
            command: "npx",
            args: ["-y", "@scope/server", "/data"],
            env: { A: "x" },
            cwd: join(folder.path, "sub"),
            inheritEnv: false,
          },
        ],
        isolation: "principal",
        connectMs: 30_000,
        callMs: 600_000,
        healthMs: 30_000,
        ttlMs: 0,
      },
      {
        name: "web",
        replicas: [
          { kind: "http", url: "https://example.com/mcp", headers: { Authorization: "Bearer t" }, transport: "sse" },
        ],
        isolation: "shared",
        connectMs: 10_000,
        callMs: 300_000,
        healthMs: 0,
        ttlMs: 60_000,
        limits: { rate: { calls: 5, perMs: 1000 }, quota: 6, tools: toolLimits },
      },
      {
        name: "clock",
        replicas: [
          { kind: "http", url: "http://127.0.0.1:1/mcp", headers: {} },
          { kind: "stdio", command: join(folder.path, "bin/clock"), args: [], env: {}, inheritEnv: true },
        ],
        isolation: "principal",
        connectMs: 30_000,
        callMs: 600_000,
        healthMs: 30_000,
        ttlMs: 0,
      },
      {
        name: "1",
        replicas: [{ kind: "http", url: "http://127.0.0.1:2/", headers: {} }],
        isolation: "principal",
        connectMs: 30_000,
        callMs: 600_000,
        healthMs: 30_000,
        ttlMs: 0,
      },
    ],
    observe: JSON.parse(JSON.stringify(observeDefaults)),
    front: { sse: true },
    allowedHosts: ["a"],
    allowedOrigins: ["https://b"],
    sealKeys: ["0123456789abcdef"],
    pagination: { pageSize: "off", maxPageSize: 5 },
    views: [],
    disclosure: "full",
    lock: { mode: "off", file: "mcp.lock" },
    limits: { ...sizes, ...counts, ...calls },
    timeouts: {
      drainMs: 1000,
      listMs: 500,
      graceMs: 60_000,
      resumeMs: 0,
      keepAliveMs: 20_000,
      sessionIdleMs: 7_200_000,
      inputMs: 90_000,
    },
  });
});

test("load: every format says the same", async () => {
  const json = `{"naming":"none","backends":{"a":{"command":"x","args":["y"],"timeouts":{"call":"1m"}},"b":{"replicas":[{"url":"http://h/"}]}}}`;
  const expected = await planOf("a.json", json);
  const toml = `naming = "none"
[backends.a]
command = "x"
args = [
  "y", # a comment
]
timeouts.call = "1m"
[[backends.b.replicas]]
url = "http://h/"
`;
  const others: [string, string][] = [
    [
      "a.yaml",
      "naming: none\nbackends:\n  a: &a { command: x, args: [y], timeouts: { call: 1m } }\n  b: { replicas: [{ url: http://h/ }] }\n",
    ],
    ["a.yml", json],
    ["a.toml", toml],
    ["a.jsonc", json.replace("{", "{ // a comment\n").replace(/}$/, ",}")],
    ["a.json5", json.replaceAll(/"(\w+)":/g, "$1:").replaceAll('"', "'")],
    ["a.ts", `const plan: object = ${json};\nexport default plan;\n`],
    ["a.mjs", `export default async () => (${json});\n`],
  ];
  for (const [name, text] of others) assert.deepEqual(await planOf(name, text), expected, name);
});

test("load: a plan is frozen through and through", async () => {
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  assert.ok(frozen(await planOf("a.yaml", yaml, env)));
  assert.ok(frozen(defaultPlan([])));
  assert.ok(frozen(planDefaults));
});

test("load: a short file gives the defaults", async () => {
  const plan = await planOf("a.yaml", "backends: { a: { url: http://h/ } }");
  assert.deepEqual(plan, defaultPlan(plan.backends));
  const { limits, pagination, timeouts, listen } = plan;
  assert.deepEqual(listen, { host: "127.0.0.1", port: 7337 });
  const sizes = [16_777_216, 65_536, 256, 67_108_864, 1000, 100_000];
  assert.deepEqual(Object.values(limits), [...sizes, 10_000, 10_000, 1000, 10_000]);
  assert.deepEqual(Object.values(timeouts), [10_000, 3000, 300_000, 5000, 15_000, 3_600_000, 600_000]);
  assert.deepEqual(pagination, { pageSize: 1000, maxPageSize: 10_000 });
});

test("load: listen is an address, a port, or both", async () => {
  const cases: [string, string, number][] = [
    ["7400", "127.0.0.1", 7400],
    ['"7400"', "127.0.0.1", 7400],
    ["127.0.0.2:80", "127.0.0.2", 80],
    ["localhost", "localhost", 7337],
    ["example.com:0", "example.com", 0],
    ['"[::1]:7400"', "::1", 7400],
    ['{ host: "::1" }', "::1", 7337],
    ['{ host: "[::1]", port: "1" }', "::1", 1],
  ];
  for (const [text, host, port] of cases) {
    assert.deepEqual((await planOf("a.yaml", `listen: ${text}\nbackends: {}`)).listen, { host, port }, text);
  }
  for (const text of ["70000", "-1", '"a b"', "a:b:c", "1.5", "true", "[1]", "{ port: x }", "{ host: a b }"]) {
    const [problem] = await problemsOf("a.yaml", `listen: ${text}\nbackends: {}`);
    assert.match(problem?.message ?? "", /^listen/, text);
  }
});

test("load: the working directory is searched in a fixed order", async () => {
  const own = (url: string): string => JSON.stringify({ backends: { a: { url } } });
  const other = (url: string): string => JSON.stringify({ mcpServers: { a: { url } } });
  const files: Record<string, string> = {
    "claude_desktop_config.json": other("http://claude/"),
    ".vscode/mcp.json": other("http://vscode/").replace("mcpServers", "servers"),
    ".cursor/mcp.json": other("http://cursor/"),
    ".mcp.json": other("http://mcp/"),
    "mcpctl.json5": own("http://own/"),
  };
  const expected = ["http://claude/", "http://vscode/", "http://cursor/", "http://mcp/", "http://own/"];
  const present: Record<string, string> = {};
  for (const [index, [name, text]] of Object.entries(files).entries()) {
    present[name] = text;
    using folder = createFolder(present);
    const replica = planIn(await folder.load()).backends[0]?.replicas[0];
    assert.equal(replica?.kind === "http" && replica.url, expected[index]);
  }
  using two = createFolder({ ...files, "mcpctl.toml": "" });
  const loaded = await two.load();
  assert.ok(loaded.kind === "invalid");
  assert.equal(loaded.problems[0]?.code, "E3115");
  assert.match(loaded.problems[0]?.message ?? "", /mcpctl\.toml, mcpctl\.json5/);
  using none = createFolder({ "mcpctl.ts": "throw new Error('never run')", "mcpctl.txt": "" });
  const missing = await none.load();
  assert.ok(missing.kind === "invalid");
  assert.equal(missing.problems[0]?.code, "E3114");
  assert.match(missing.problems[0]?.message ?? "", /mcpctl\.yaml.*\.vscode\/mcp\.json/);
});

test("load: later files override earlier ones, maps by key and lists as a whole", async () => {
  using folder = createFolder({
    "a.yaml":
      "listen: { host: 0.0.0.0, port: 1 }\nallowedHosts: [a, b]\nbackends:\n  x: { command: ./x, args: [1x, 2x], env: { A: a, B: b } }\n",
    "sub/b.toml":
      'listen.port = 2\nallowedHosts = ["c"]\n[backends.x]\nargs = ["3x"]\ncwd = "here"\nenv.B = "c"\n[backends.y]\nurl = "http://y/"\n',
    "c.json": '{ "mcpServers": { "x": { "env": { "C": "d" } } } }',
  });
  const plan = planIn(await folder.load(["a.yaml", "sub/b.toml", "c.json"]));
  assert.deepEqual(plan.listen, { host: "0.0.0.0", port: 2 });
  assert.deepEqual(plan.allowedHosts, ["c"]);
  assert.deepEqual(
    plan.backends.map((backend) => backend.name),
    ["x", "y"],
  );
  assert.deepEqual(plan.backends[0]?.replicas[0], {
    kind: "stdio",
    command: join(folder.path, "x"),
    args: ["3x"],
    env: { A: "a", B: "c", C: "d" },
    cwd: join(folder.path, "sub/here"),
    inheritEnv: false,
  });
});

test("load: a mistake in a merged config is shown in the file that makes it", async () => {
  using folder = createFolder({
    "a.yaml": "timeouts: { drain: 10 }\nbackends:\n  x: { command: y }\n",
    "b.yaml": "backends:\n  x:\n    urll: z\n    url: http://h/\n",
    "c.yaml": "naming: [",
  });
  const loaded = await folder.load(["a.yaml", "b.yaml"]);
  assert.ok(loaded.kind === "invalid");
  const places = loaded.problems.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`);
  assert.deepEqual(places, ["a.yaml:1:20 E3102", "b.yaml:3:5 E3101", "b.yaml:4:5 E3105"]);
  const broken = await folder.load(["a.yaml", "c.yaml", "gone.yaml"]);
  assert.ok(broken.kind === "invalid");
  assert.deepEqual(
    [...new Set(broken.problems.map(({ file, code }) => `${file} ${code}`))],
    ["c.yaml E3107", "gone.yaml E3108"],
  );
});

test("load: equal settings are the same plan, whatever the order of keys", () => {
  const name = "a" as BackendPlan["name"];
  const base = { name, isolation: "principal", connectMs: 1, callMs: 2, healthMs: 3, ttlMs: 4 } as const;
  const http = (headers: Record<string, string>): BackendPlan => ({
    ...base,
    replicas: [{ kind: "http", url: "u", headers }],
  });
  assert.ok(samePlan(http({ a: "1", b: "2" }), http({ b: "2", a: "1" })));
  assert.ok(!samePlan(http({ a: "1" }), http({ a: "1", b: "2" })));
  assert.ok(!samePlan(http({ a: "1" }), http({ toString: "1" })));
  assert.ok(!samePlan(http({}), { ...http({}), callMs: 5 }));
  assert.ok(!samePlan(http({}), { ...http({}), replicas: [] }));
});

test("load: a URL's user and password become a header", async () => {
  const plan = await planOf("a.yaml", "backends: { a: { url: 'https://u%40:p%zz@h/mcp?x=1' } }");
  const [replica] = plan.backends[0]?.replicas ?? [];
  assert.deepEqual(replica, {
    kind: "http",
    url: "https://h/mcp?x=1",
    headers: { Authorization: `Basic ${Buffer.from("u@:p%zz").toString("base64")}` },
  });
});

test("load: a script that changed is read again", async () => {
  using folder = createFolder({ "a.ts": "export default { listen: 1, backends: {} };\n" });
  assert.equal(planIn(await folder.load(["a.ts"])).listen.port, 1);
  writeFileSync(join(folder.path, "a.ts"), "export default { listen: 2, backends: {} };\n");
  utimesSync(join(folder.path, "a.ts"), new Date(), new Date(Date.now() + 5000));
  assert.equal(planIn(await folder.load(["a.ts"])).listen.port, 2);
});
