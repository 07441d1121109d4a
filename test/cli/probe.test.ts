// `mcpctl probe`: states, forms, exit codes, and what it finds out about a server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { runtimeCommand, startHttpServer, startScript } from "../kit/process.ts";
import { createFolder, type Ended, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const [command, demo] = runtimeCommand("cli/main.ts", "demo", "text");
const raw = (...args: string[]): object => {
  const [program, rest] = runtimeCommand("test/kit/raw-server.ts", "stdio", ...args);
  return { command: program, args: rest };
};

function createConfig(servers: object): Folder {
  return createFolder({ "m.json": JSON.stringify({ mcpServers: servers }) });
}

/** Not spawnSync: servers of this process must go on. */
async function run(args: readonly string[], cwd?: string): Promise<Ended> {
  await using proc = startScript("cli/main.ts", args, cwd === undefined ? {} : { cwd });
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

const servers = {
  good: { command, args: demo },
  noisy: { command: "sh", args: ["-c", `echo "Starting on 3000"; exec "$0" "$@"`, command, ...demo] },
  gone: { command: "no-such-program" },
  stuck: raw("--hang-list"),
};

test("probe: each server's state, and one exit code for all", limits, async () => {
  using folder = createConfig(servers);
  const { code, stdout } = await run(["probe", "-c", "m.json", "--timeout", "3s", "-o", "json"], folder.path);
  assert.equal(code, 1);
  const report = JSON.parse(stdout);
  const states = report.servers.map((each: { server: string; state: string; exit: number }) => [
    each.server,
    each.state,
    each.exit,
  ]);
  assert.deepEqual(states, [
    ["good", "healthy", 0],
    ["noisy", "degraded", 1],
    ["gone", "down", 4],
    ["stuck", "degraded", 1],
  ]);
  assert.match(report.servers[1].warnings[0].text, /the server writes non-MCP text to stdout: "Starting on 3000"/);
  assert.equal(report.servers[2].error.code, "E4102");
  assert.match(report.servers[3].warnings[0].text, /E4106 no answer to tools\/list within/);
  const schema = JSON.parse(mcpctl(["schema", "ProbeReport"]).stdout);
  const ajv = new Ajv2020({ strict: false });
  assert.ok(ajv.validate(schema, report), ajv.errorsText());
});

test("probe: the exit code of one server is its own, and --fail-on moves the line", limits, () => {
  using folder = createConfig(servers);
  const exit = (...args: string[]): number | null => mcpctl(["probe", ...args], folder.path).code;
  assert.equal(exit("m.json:good"), 0);
  assert.equal(exit("m.json:gone"), 4);
  assert.equal(exit("m.json:noisy"), 0);
  assert.equal(exit("m.json:noisy", "--fail-on", "degraded"), 1);
  assert.equal(exit("m.json:good", "m.json:noisy"), 0);
  assert.equal(exit("m.json:good", "m.json:gone"), 1);
});

test("probe: as a plugin of a monitoring system", limits, () => {
  using folder = createConfig(servers);
  for (const [target, code, start] of [
    ["m.json:good", 0, "MCP OK - 1 of 1 healthy | "],
    ["m.json:noisy", 1, "MCP WARNING - "],
    ["m.json:gone", 2, "MCP CRITICAL - 0 of 1 healthy; gone down: E4102"],
    ["m.json:nobody", 3, "MCP UNKNOWN - no server is called"],
    ["other.json", 3, "MCP UNKNOWN - "],
  ] as const) {
    const ended = mcpctl(["probe", target, "-o", "nagios"], folder.path);
    assert.equal(ended.code, code, target);
    assert.ok(ended.stdout.startsWith(start), ended.stdout);
    assert.equal(ended.stdout.trim().split("\n").length, 1);
  }
});

test("probe: --deep over HTTP checks revisions, sessions, headers and origins", limits, async () => {
  await using server = await startHttpServer();
  const { code, stdout, stderr } = await run(["probe", server.url, "--deep", "-o", "json"]);
  assert.equal(code, 0, stderr);
  const [report] = JSON.parse(stdout).servers;
  const found = (rule: string): { severity: string; text: string } =>
    report.findings.find((each: { rule: string }) => each.rule === rule);
  assert.match(found("versions").text, /speaks .*2025-11-25/);
  assert.equal(found("session").severity, "ok", found("session").text);
  assert.ok(found("origin"));
  assert.ok(found("header"));
  const text = await run(["probe", server.url, "--deep"]);
  assert.match(text.stdout, /handshake +[\d.]+ ms .*█/);
  assert.match(text.stdout, /in all .*: network about .*, server .*, client /);
});

test("probe: --only, --trace, --compare and --watch in a pipe", limits, async () => {
  using folder = createConfig(servers);
  const only = mcpctl(["probe", "m.json:good", "--only", "handshake,ping", "--count", "5", "-o", "json"], folder.path);
  const [report] = JSON.parse(only.stdout).servers;
  assert.deepEqual(
    report.phases.map(({ name }: { name: string }) => name),
    ["handshake", "ping"],
  );
  assert.equal(report.pings.count, 5);
  const traced = mcpctl(["probe", "m.json:good", "--only", "handshake", "--trace"], folder.path);
  assert.match(traced.stderr, /\+[\d.]+ ms good → \{"jsonrpc":"2\.0",.*"initialize"/);
  assert.match(traced.stderr, /good ← \{"jsonrpc":"2\.0"/);
  const compared = mcpctl(["probe", "--compare", "m.json:good", "m.json:noisy"], folder.path);
  assert.match(compared.stdout, /handshake +[\d.]+ ms +[\d.]+ ms +[\d.]+ ×/);
  assert.equal(mcpctl(["probe", "--compare", "m.json:good"], folder.path).code, 2);
  const watched = await run(["probe", "m.json:good", "--watch", "10ms", "--count", "3"], folder.path);
  assert.equal(watched.code, 0, watched.stderr);
  assert.deepEqual(
    watched.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).kind),
    ["Probe", "Probe", "Probe"],
  );
  assert.match(mcpctl(["probe", "--only", "hanshake"], folder.path).stderr, /did you mean handshake\?/);
});

test("probe: many servers take no longer than the slowest", limits, async () => {
  const slow = Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`s${at}`, raw("--delay", "300")]));
  using folder = createConfig(slow);
  const startedAt = performance.now();
  const one = await run(["probe", "m.json:s0", "--count", "1"], folder.path);
  const single = performance.now() - startedAt;
  const all = await run(["probe", "m.json", "--count", "1"], folder.path);
  const total = performance.now() - startedAt - single;
  assert.deepEqual([one.code, all.code], [0, 0]);
  // Five interpreters start on two cores; one after the other would be five times as long.
  assert.ok(total < single * 2.5, `${total.toFixed(0)} ms for five, ${single.toFixed(0)} ms for one`);
});
