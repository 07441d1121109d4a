// The quick reader and the schema: whatever the one accepts, the other accepts too, and means the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { asRecord } from "../../lib/core/text.ts";
import { acceptConfig, backendKeys, topKeys } from "../../lib/config/accept.ts";
import { configJsonSchema } from "../../lib/config/load.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { among, mapOf, scraps } from "./near-misses.ts";

const nul = "a\0";
const fromZero = among(["0s", "0.0004ms", "1ms", "1.5m", "24d"], ["24.001d", "25d", "30", 30, "-1s"]);
const fromOne = among(["0.5ms", "1ms", "1.5m", "24d"], ["0s", "0.4ms", "25d", "1"]);
const sizes = among(["1KiB", "1024B", "10MB", "2GiB"], ["1023B", "2.001GiB", "16", 16]);
const counts = among([1, "1", "01", 1_000_000, "1000000"], [0, "0", 10_000_001, "10000001", 1.5, "9".repeat(16)]);
const flags = among([true, false, "true", "false"], ["yes", "", 1]);
const filled = among(["a", " ", "1"], ["", nul, 1]);
const filledLists = among([[], ["a"], ["a", "b"]], [[""], [nul], [1]]);
const textMaps = among([{}, { A: "b", C: "" }], [{ A: 1 }, { "\0": "x" }, { A: nul }, { A: null }]);
const endpoints = {
  command: filled,
  args: among([[], ["-y", ""]], [[nul], "x", [1]]),
  env: textMaps,
  cwd: filled,
  inheritEnv: flags,
  sandbox: fc.oneof(
    among(["bubblewrap"], ["docker", true]),
    mapOf({ type: among(["bubblewrap"], ["x"]), read: filledLists, write: filledLists, network: flags }),
  ),
  url: filled,
  headers: textMaps,
  tls: mapOf({ ca: filled, insecure: flags }),
  auth: mapOf({
    tokenFile: filled,
    tokenUrl: among(["https://a"], ["http://a"]),
    clientId: filled,
    scopes: filledLists,
  }),
  transport: among(["auto", "streamable", "sse"], ["http", ""]),
};
const amounts = among([1, "1", 20], [0, "0", 10_000_001, 1.5]);
const shares = among(["0%", "20%", "99.9%", "100%"], ["101%", "20", 20, "-1%", "1.2345%"]);
const globs = among([[], ["read_*"], ["*", "a"]], [[""], [nul], [1], "a"]);
const toolTimes = { call: fromOne, first: fromZero, idle: fromZero };
const replicas = mapOf({ ...endpoints, weight: among([1, "1000"], [0, 1001]), zone: filled });
const resilience = {
  balance: among(["random-two", "hash(header:x-a)", "hash(session)"], ["hash", "hash(header:)", "least", ""]),
  retry: mapOf({ attempts: among([1, "10"], [0, 11]), budget: shares, wait: fromZero, tools: globs }),
  breaker: mapOf({
    failures: amounts,
    rate: shares,
    window: fromOne,
    open: fromOne,
    codes: among([[], [-32_603], ["1"]], [[1.5], [2 ** 40], 1]),
    perTool: flags,
    disabled: flags,
  }),
  concurrency: mapOf({ inFlight: amounts, queued: among([0, "5"], [-1]), inFlightEach: amounts }),
  hedge: mapOf({ after: shares, min: fromZero, share: shares }),
  outliers: mapOf({ errorRate: shares, slowness: among([2, 1000], [1, 1001]), eject: fromOne, ramp: fromZero }),
  cache: mapOf({ size: sizes, stale: fromZero }),
};
const itemRules = { allow: globs, deny: globs };
const views = mapOf({
  backends: filledLists,
  tags: filledLists,
  tools: globs,
  prompts: globs,
  resources: globs,
  disclosure: among(["full"], ["x"]),
});
const rates = among(["1/s", "600/m", "9999999/d"], ["0/s", "1/w", "1.5/s", "10000000/s", 1, "1"]);
const backends = mapOf({
  guard: mapOf({
    size: sizes,
    types: among([["a/b"], ["text/*", "*/*"]], [[], ["a"], ["a/b/c"], [nul]]),
    mask: among([[], ["a+", "(?i)b"]], [[""], ["("], ["(?=a)"], ["(a)\\1"], [nul], "a"]),
  }),
  limits: mapOf({
    rate: rates,
    quota: among([1, "5"], [0, "x"]),
    tools: among(
      [{}, { "a*": { rate: "1/s", cost: 0 } }],
      [{ "": {} }, { a: { cost: -1 } }, { a: { concurrency: 0 } }],
    ),
  }),
  tools: mapOf({
    ...itemRules,
    rename: among([{}, { a: "b" }], [{ a: "b c" }, { "": "x" }, { a: 1 }, []]),
    describe: among([{}, { "a*": "" }], [{ "": "x" }, { a: 1 }]),
    override: among([{}, { a: { title: "x", y: [1, null] } }], [{ a: { name: "x" } }, { a: 1 }, { "": {} }]),
  }),
  prompts: mapOf(itemRules),
  resources: mapOf(itemRules),
  tags: filledLists,
  ...endpoints,
  ...resilience,
  replicas: fc.oneof(fc.array(replicas, { minLength: 1, maxLength: 2 }), fc.constantFrom([{}], [])),
  isolation: among(["principal", "session", "shared"], ["none"]),
  protocol: among(["auto", "legacy", "modern", "2025-01-01"], ["2025", "Auto", ""]),
  timeouts: mapOf({
    ...toolTimes,
    connect: fromOne,
    handshake: fromOne,
    health: fromZero,
    listing: fromZero,
    ping: fromOne,
    tools: among([{}, { "a*": { call: "1s" } }], [{ "": {} }, { a: { call: 1 } }, { a: 1 }, { [nul]: {} }]),
  }),
  disabled: flags,
});
const addresses = among(["localhost:1", "[::1]", 7337, "65535", "127.0.0.1", -0], ["99999", "::1", "a b", 65_536, 1.5]);
const ports = among([0, 1, 65_535, "65535", "0", -0], [65_536, "65536", -1, "-1", 1.5]);
const safeUrls = among(
  ["https://id.example.com", "http://127.0.0.1:1/x", "https://a/b/"],
  ["http://id.example.com", "https://u@a", "https://a?b", "https://a#", "ftp://a", "a", "https://a/\n", nul],
);
const scopeLists = among([[], ["a", "a:b/c*"]], [[""], ["a b"], ['"'], ["\\"], [nul], "a"]);
const hash = `sha256:${"0a".repeat(32)}`;
const keys = mapOf({
  hash: among([hash], [hash.toUpperCase(), `${hash}0`, ""]),
  groups: filledLists,
  scopes: scopeLists,
  expires: among(["2027-01-01", "2027-01-01T10:00Z"], ["2027-13-01", "tomorrow", "2027-01-01T10:00", 1]),
});
const issuers = mapOf({
  issuer: safeUrls,
  jwks: safeUrls,
  audiences: filledLists,
  algorithms: among([["RS256"], ["EdDSA", "ES256"]], [[], ["HS256"], ["none"], "RS256"]),
  groupsClaim: filled,
  skew: among(["0s", "5m"], ["6m", 1]),
  introspection: mapOf({ url: safeUrls, clientId: filled, clientSecret: filled }),
});
const auths = mapOf({
  keys: fc.dictionary(fc.constantFrom("a", "a.b-c_d", "", "-a", "x".repeat(65)), keys, { maxKeys: 2 }),
  issuers: fc.array(issuers, { maxLength: 2 }),
  scopes: scopeLists,
  certificates: flags,
});
const effects = among(["allow", "deny", "confirm"], ["ask", ""]);
const pointers = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.dictionary(fc.constantFrom("", "/a", "/a~1b/0", "a", "/~"), value, { maxKeys: 1 });
const policies = mapOf({
  default: among(["allow", "deny"], ["confirm"]),
  roles: fc.dictionary(
    fc.constantFrom("ops", "a b"),
    mapOf({ subjects: globs, groups: filledLists, scopes: scopeLists, claims: pointers(globs) }),
    { maxKeys: 1 },
  ),
  rules: fc.array(
    fc
      .tuple(
        effects,
        mapOf({
          roles: filledLists,
          tools: globs,
          resources: globs,
          methods: globs,
          annotations: mapOf({ readOnlyHint: flags, openWorldHint: flags }),
          arguments: pointers(among([{}, { type: "string" }], ["x", []])),
          scopes: scopeLists,
          rate: rates,
        }),
      )
      .map(([effect, rule]) => (typeof rule === "object" ? { ...rule, effect } : rule)),
    { maxLength: 2 },
  ),
});
const doors = mapOf({
  policy: policies,
  audit: mapOf({
    file: filled,
    rotate: sizes,
    arguments: among(["off", "hashed", "full"], ["on", true]),
    rules: fc.array(
      mapOf({
        tools: globs,
        prompts: globs,
        backends: globs,
        arguments: among(["off", "full"], [""]),
        mask: among([["/a/b"], [""]], [["a"], "/a"]),
      }),
      { maxLength: 2 },
    ),
  }),
  auth: fc.oneof(auths, among(["none"], ["all", ""])),
  publicUrl: among(["https://a.example/gw/", "http://b:80"], ["a", "https://u:p@a", "https://a/?b", "ws://a", ""]),
  tls: mapOf({ cert: filled, key: filled, clientCa: filled }),
});
const configs = mapOf({
  $schema: among(["", "x", nul], [1]),
  listen: fc.oneof(addresses, mapOf({ host: among(["a", "::1", "[::1]"], ["", "a b"]), port: ports })),
  naming: among(["prefix", "none", "conflict"], ["both"]),
  views: fc.dictionary(fc.constantFrom("a", ""), views, { maxKeys: 2 }),
  disclosure: among(["full", "search"], ["none"]),
  lock: among(["off", "warn", "enforce"], ["on", false]),
  lockFile: filled,
  zone: filled,
  priority: among([[], ["a", ""]], [[nul], [1]]),
  backends: fc.dictionary(fc.constantFrom("a", "1", "", "a__b"), backends, { maxKeys: 2 }),
  front: mapOf({ sse: flags }),
  timeouts: mapOf({
    drain: fromZero,
    list: fromZero,
    grace: fromZero,
    resume: fromZero,
    keepAlive: fromOne,
    session: fromOne,
  }),
  limits: mapOf({
    rate: rates,
    connections: counts,
    streams: counts,
    concurrency: counts,
    quota: among([1, "1000000000"], [0, 1_000_000_001, 1.5]),
    header: sizes,
    nesting: among([32, "10000"], [31, 10_001, "x"]),
    body: sizes,
    message: sizes,
    pages: counts,
    items: counts,
    sessions: counts,
  }),
  allowedHosts: filledLists,
  allowedOrigins: filledLists,
  pagination: mapOf({ pageSize: fc.oneof(counts, fc.constantFrom("off", "on", false)), maxPageSize: counts }),
  cluster: mapOf({
    url: among(["redis://h", "rediss://:p@h:1/2", "valkey://[::1]:6379"], ["http://h", "redis:", "redis://h/x", "h:1"]),
    prefix: among(["a", "a:b"], ["", " ", ":"]),
  }),
  sealKeys: among([[], ["x".repeat(16), "x\n".repeat(8)]], [["x".repeat(15)], [`${"x".repeat(16)}\0`]]),
});

test("accept: says what the schema says, of near misses of every kind", () => {
  const seen = { accepted: 0, refused: 0 };
  const compare = (value: unknown): void => {
    const parsed = parseConfig(value);
    const config = parsed.issues === undefined ? parsed.config : undefined;
    const accepted = acceptConfig(value);
    seen[accepted === undefined ? "refused" : "accepted"] += 1;
    assert.deepEqual(accepted, config, JSON.stringify({ value, issues: parsed.issues }));
  };
  for (const scrap of scraps) compare(scrap);
  fc.assert(fc.property(fc.oneof({ weight: 3, arbitrary: configs }, { weight: 1, arbitrary: doors }), compare), {
    numRuns: 5000,
  });
  assert.ok(seen.accepted > 400 && seen.refused > 400, JSON.stringify(seen));
});

test("accept: knows the keys of the schema", async () => {
  const schema: unknown = JSON.parse(JSON.stringify(await configJsonSchema()));
  const keysAt = (...path: string[]): string[] =>
    Object.keys(asRecord(path.reduce((value: unknown, key) => asRecord(value)[key], schema)));
  assert.deepEqual([...topKeys].toSorted(), keysAt("properties").toSorted());
  const backendPath = ["properties", "backends", "additionalProperties", "properties"];
  assert.deepEqual([...backendKeys].toSorted(), keysAt(...backendPath).toSorted());
});

test("accept: leaves a key that reaches a prototype to the schema", () => {
  const env: unknown = JSON.parse('{ "__proto__": "x" }');
  assert.equal(acceptConfig({ backends: { a: { command: "x", env } } }), undefined);
});
