// `mcpctl auth`: keys that let in, and are nowhere but with their holder.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { runtimeCommand, startProcess } from "../kit/process.ts";
import { createFolder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };

test("auth: a new key lets its holder in, and the config holds its hash alone", limits, async () => {
  const { code, stdout, stderr } = mcpctl(["auth", "key", "create", "ci", "--group", "build", "--scope", "a"]);
  assert.equal(code, 0, stderr);
  const [, key = ""] = /^the key of ci, which is shown nowhere else: (mcpctl_[\w-]{43})\n$/.exec(stderr) ?? [];
  assert.ok(key !== "" && !stdout.includes(key), stderr);
  using folder = createFolder({ "keys.yaml": stdout, "mcpctl.yaml": "backends: {}" });
  const files = ["-c", join(folder.path, "mcpctl.yaml"), "-c", join(folder.path, "keys.yaml")];
  await using gateway = startProcess(...runtimeCommand("cli/main.ts", "serve", ...files, "--port", "0"));
  const [url] = await gateway.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  const health = new URL("/health", url);
  assert.deepEqual(await (await fetch(health)).json(), { status: "ok" });
  const known = await fetch(health, { headers: { authorization: `Bearer ${key}` } });
  assert.match(await known.text(), /"backends":\{\}/);
  const wrong = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${key}x` } });
  assert.equal(wrong.status, 401);
  await wrong.text();
  assert.ok(!`${gateway.stdout}${gateway.stderr}`.includes(key));
});

test("auth: -o json is the key and its config for scripts", limits, () => {
  const { stdout } = mcpctl(["auth", "key", "create", "ci", "--expires", "2030-12-31", "-o", "json"]);
  assert.match(
    stdout,
    /"kind": "ApiKey",\n {2}"key": "mcpctl_[\w-]{43}"[^]*"hash": "sha256:[0-9a-f]{64}",\s+"expires": "2030-12-31"/,
  );
});

test("auth: what no config could hold is refused", limits, () => {
  for (const argv of [
    ["key"],
    ["key", "create"],
    ["key", "create", "a b"],
    ["key", "create", "a", "b"],
    ["keys", "create", "a"],
  ])
    assert.equal(mcpctl(["auth", ...argv]).code, 2, argv.join(" "));
  assert.equal(mcpctl(["auth", "key", "create", "a", "--scope", "a b"]).code, 2);
  assert.equal(mcpctl(["auth", "key", "create", "a", "--expires", "tomorrow"]).code, 2);
});

test("auth: an address that others reach needs a way to sign in, and tokens need an address", limits, () => {
  const check = (config: object, mistake: RegExp): void => {
    using folder = createFolder({ "c.json": JSON.stringify({ backends: {}, ...config }) });
    const { code, stderr } = mcpctl(["serve", "-c", join(folder.path, "c.json"), "--host", "0.0.0.0"]);
    assert.equal(code, 3);
    assert.match(stderr, mistake);
  };
  check({}, /E3003.*no authentication/);
  check({ auth: "none" }, /E3003/);
  check({ auth: { issuers: [{ issuer: "https://id.example.com" }] } }, /E3002.*publicUrl/);
  check({ auth: {} }, /nobody could come in/);
  check({ auth: { certificates: true } }, /clientCa/);
});

test("auth: can-i says what the policy says, and why", limits, () => {
  const config = {
    auth: { keys: { ci: { hash: `sha256:${"0".repeat(64)}`, groups: ["build"] } } },
    policy: {
      default: "deny",
      roles: { build: { groups: ["build"] } },
      rules: [
        { effect: "deny", tools: ["delete_*"] },
        { effect: "allow", roles: ["build"], backends: ["fs"], tools: ["read"] },
        { effect: "allow", tools: ["write"], arguments: { "/path": { const: "/tmp" } } },
        { effect: "allow", tools: ["push"], scopes: ["repo"] },
      ],
    },
    backends: { fs: { command: "true" } },
  };
  using folder = createFolder({ "c.json": JSON.stringify(config) });
  const ask = (...words: readonly string[]): string => {
    const { code, stdout, stderr } = mcpctl(["auth", "can-i", ...words, "-c", "c.json"], folder.path);
    return `${code} ${stdout}${stderr}`;
  };
  assert.equal(ask("key:ci", "fs/read"), "0 yes: key:ci and fs/read; rule 2 decides\n");
  assert.match(ask("key:other", "fs/read"), /^1 no: .*the default decides/);
  assert.match(ask("key:other", "fs/read", "--group", "build"), /^0 yes/);
  assert.match(ask("key:ci", "fs/delete_all"), /^1 no: .*rule 1/);
  assert.match(ask("key:ci", "fs/write"), /^1 no: .*\n.*rule 3\n {2}it is listed\n/);
  assert.match(ask("key:ci", "fs/push"), /^1 only with more scopes: .*rule 4.*\n.*repo/);
  assert.match(ask("key:ci", "fs/push", "--scope", "repo"), /^0 yes/);
  assert.match(ask("key:ci", "fs/read", "-o", "json"), /"kind": "Verdict"[^]*"rule": 2/);
  assert.match(ask("key:ci", "none/read"), /^2 .*E2002/);
  assert.match(ask("key:ci"), /^2 /);
});

test("auth: a rule for a role that there is not is a mistake", limits, () => {
  const policy = { roles: { build: {} }, rules: [{ effect: "allow", roles: ["biuld"] }] };
  using folder = createFolder({ "c.json": JSON.stringify({ backends: {}, policy }) });
  const { code, stderr } = mcpctl(["validate", "-c", "c.json"], folder.path);
  assert.equal(code, 1);
  assert.match(stderr, /policy\.rules\[0\]\.roles\[0\].*no role.*build/s);
});

test("audit: verify says whether a log is as it was written, and where it is not", limits, () => {
  const line = (text: string): string => `${text}\n`;
  using folder = createFolder({ "a.ndjson": line("{}") });
  const broken = mcpctl(["audit", "verify", "a.ndjson"], folder.path);
  assert.deepEqual(
    [broken.code, broken.stdout],
    [1, "a.ndjson:1: it is no line of an audit log; 0 lines before it are as they were written\n"],
  );
  assert.equal(mcpctl(["audit", "verify", "none.ndjson"], folder.path).code, 2);
  assert.equal(mcpctl(["audit", "verify"], folder.path).code, 2);
  assert.match(mcpctl(["audit", "verify", "a.ndjson", "-o", "json"], folder.path).stdout, /"ok": false/);
});
