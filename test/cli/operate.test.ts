// `mcpctl tail` and `drain` against a running gateway: what is seen, what is hidden, who may, and what becomes of calls.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { IncomingRequest } from "../../lib/front/request.ts";
import { incomingOf } from "../front/exchange.ts";
import { connectClient } from "../kit/client.ts";
import { type Proc, runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder, type Ended, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const [command, args] = runtimeCommand("cli/main.ts", "demo", "text");
const [, noteArgs] = runtimeCommand("cli/main.ts", "demo", "notes");
const backends = { text: { command, args }, notes: { command, args: noteArgs } };

interface Running extends AsyncDisposable {
  readonly proc: Proc;
  readonly url: string;
  readonly address: string;
}

async function serve(more: object = {}): Promise<Running> {
  const folder: Folder = createFolder({ "m.json": JSON.stringify({ backends, ...more }) });
  const proc = startScript("cli/main.ts", ["serve", "-c", "m.json", "--port", "0"], { cwd: folder.path });
  const [url = ""] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await proc.line(/up +notes/, "stderr");
  return {
    proc,
    url,
    address: new URL(url).host,
    [Symbol.asyncDispose]: async () => {
      await proc.stop();
      folder[Symbol.dispose]();
    },
  };
}

async function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  await using proc = startScript("cli/main.ts", argv, { env });
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

type Seen = ReturnType<typeof JSON.parse>;

const seen = ({ stdout }: Proc): readonly Seen[] =>
  stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

/** Resolves when the gateway knows that somebody listens: a message of its own comes through. */
async function tailing(gateway: Running, ...argv: readonly string[]): Promise<Proc> {
  const proc = startScript("cli/main.ts", ["tail", gateway.address, "-o", "ndjson", ...argv]);
  for (let id = 1; proc.stdout === ""; id += 1) {
    const message = { jsonrpc: "2.0", id: `mark-${id}`, method: "ping" };
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    await (await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(message) })).text();
    assert.ok(proc.exit === undefined, proc.stderr);
  }
  return proc;
}

const isCall = ({ method }: Seen): boolean => method === "tools/call";

test(
  "tail: messages of sessions that were there before, without secrets, and calls go on after it",
  limits,
  async () => {
    await using gateway = await serve();
    await using legacy = await connectClient({ url: gateway.url });
    for (let n = 0; n < 3; n += 1) await legacy.call("text__word_count", { text: "before" });
    {
      await using tail = await tailing(gateway);
      const shown = `two words sk-abcdefghijklmnop {"password":"hunter2"}`;
      await legacy.call("text__word_count", { text: shown, api_key: "topsecret" });
      await legacy.call("notes__add_note", { title: "t", body: "b" });
      await assert.rejects(legacy.call("text__no_such"));
      await legacy.call("text__word_count", { text: "last" });
      await tail.line(/"from":"gateway".*"id":"\d+".*tools\/call.*"last"|words\\?":1,/, "stdout");
      const calls = seen(tail).filter(isCall);
      assert.deepEqual(
        calls.map(({ from, name, backend, outcome }) => [from, name, backend, outcome]),
        [
          ["client", "text__word_count", "text", undefined],
          ["gateway", "text__word_count", "text", "error"],
          ["client", "notes__add_note", "notes", undefined],
          ["gateway", "notes__add_note", "notes", "ok"],
          ["client", "text__no_such", "text", undefined],
          ["gateway", "text__no_such", "text", "failed"],
          ["client", "text__word_count", "text", undefined],
          ["gateway", "text__word_count", "text", "ok"],
        ],
      );
      assert.equal(calls[0].message.params.arguments.api_key, "•••");
      assert.doesNotMatch(tail.stdout, /hunter2|topsecret|sk-abcdef/);
      assert.match(tail.stdout, /two words/);
      const ajv = new Ajv2020({ strict: false });
      const schema = JSON.parse(mcpctl(["schema", "Message"]).stdout);
      for (const each of seen(tail)) assert.equal(ajv.validate(schema, each), true, ajv.errorsText());
      tail.kill("SIGINT");
      assert.equal((await tail.exited).code, 130);
    }
    for (let n = 0; n < 3; n += 1) await legacy.call("text__word_count", { text: "after" });
  },
);

test("tail: filters, a number of messages, a time, and lines for people", limits, async () => {
  await using gateway = await serve();
  await using legacy = await connectClient({ url: gateway.url });
  const people = run(["tail", gateway.address, "--method", "tools/call", "--count", "2"]);
  const failed = run(["tail", gateway.address, "--failed", "--method", "tools/*", "--count", "1", "-o", "json"]);
  const notes = run(["tail", gateway.address, "--backend", "no*", "--count", "2", "-o", "ndjson"]);
  const pending = { isDone: false };
  const done = Promise.all([people, failed, notes]).finally(() => (pending.isDone = true));
  while (!pending.isDone) {
    await legacy.call("text__word_count", { text: "x" });
    await legacy.call("notes__search_notes", { query: "x" });
    await legacy.call("text__word_count", {});
  }
  for (const { code, stderr } of await done) assert.equal(code, 0, stderr);
  const [first = "", second = ""] = (await people).stdout.split("\n");
  assert.match(first, /^\d\d:\d\d:\d\d\.\d{3} [→←] tools\/call \w+ #\d+/);
  assert.match(second, /^\d\d:\d\d:\d\d\.\d{3} [→←] tools\/call \w+ #\d+/);
  const only: Seen = JSON.parse((await failed).stdout);
  assert.deepEqual([only.kind, only.name, only.outcome], ["Message", "text__word_count", "error"]);
  for (const line of (await notes).stdout.trim().split("\n")) assert.equal(JSON.parse(line).backend, "notes");
  const silent = await run(["tail", gateway.address, "--method", "no/such", "--timeout", "2s"]);
  assert.deepEqual([silent.code, silent.stdout], [0, ""], silent.stderr);
});

/** A server whose one tool says that it has begun, and ends when there is a file `go`. */
function gateServer(folder: string): object {
  const answer = String.raw`echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":$1}"`;
  const script = String.raw`
    answer() { ANSWER; }
    while read -r line; do
      [[ $line =~ \"id\":(\"[^\"]*\"|[0-9]+) ]] || continue
      id=$\{BASH_REMATCH[1]}
      case $line in
      *'"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"gate","version":"1"}}' ;;
      *'"tools/list"'*) answer '{"tools":[{"name":"pass","inputSchema":{"type":"object"}}]}' ;;
      *'"tools/call"'*)
        [[ $line =~ \"progressToken\":(\"[^\"]*\"|[0-9]+) ]]
        echo "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":$\{BASH_REMATCH[1]},\"progress\":1}}"
        until [[ -e $0/go ]]; do sleep 0.05; done
        answer '{"content":[{"type":"text","text":"passed"}]}' ;;
      *) answer '{}' ;;
      esac
    done`;
  return { command: "bash", args: ["-c", script.replace("ANSWER", answer).replaceAll("$\\{", () => "$${"), folder] };
}

test("drain: calls in flight end, new ones are refused, and the gateway ends if that is wanted", limits, async () => {
  using folder = createFolder();
  await using gateway = await serve({ backends: { ...backends, gate: gateServer(folder.path) } });
  await using legacy = await connectClient({ url: gateway.url });
  const slow = legacy.call("gate__pass", {}, { progressToken: 1 });
  await legacy.notified("notifications/progress");
  const impatient = await run(["drain", gateway.address, "--timeout", "100ms"]);
  assert.equal(impatient.code, 1, impatient.stderr);
  assert.match(impatient.stdout, /^1 call not over after /);
  assert.equal((await fetch(new URL("/readyz", gateway.url))).status, 503);
  await assert.rejects(legacy.call("text__word_count", { text: "new" }), /shutting down|503/);
  await using patient = startScript("cli/main.ts", ["drain", gateway.address, "--exit", "-o", "json"]);
  writeFileSync(join(folder.path, "go"), "");
  assert.deepEqual((await slow)["content"], [{ type: "text", text: "passed" }]);
  const { code } = await patient.exited;
  const drained = { code, stdout: patient.stdout, stderr: patient.stderr };
  assert.equal(drained.code, 0, drained.stderr);
  const result: Seen = JSON.parse(drained.stdout);
  assert.deepEqual([result.kind, result.drained, result.exited], ["Drain", true, true]);
  assert.equal((await gateway.proc.exited).code, 0);
});

test("tail: of several workers it says that it is one", limits, async () => {
  using folder = createFolder({ "m.json": JSON.stringify({ backends }) });
  const args = ["serve", "-c", "m.json", "--port", "0", "--workers", "2"];
  await using proc = startScript("cli/main.ts", args, { cwd: folder.path });
  const [url = ""] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await using tail = startScript("cli/main.ts", ["tail", url, "-o", "ndjson"]);
  await tail.line(/^these are the messages of one of 2 workers/, "stderr");
  assert.equal(tail.stdout, "");
  await proc.stop();
});

test("drain: nobody there", limits, async () => {
  for (const what of ["drain", "tail"]) {
    const { code, stdout, stderr } = await run([what, "127.0.0.1:1", "-o", "json"]);
    assert.deepEqual([code, stdout, JSON.parse(stderr).code], [4, "", "E4101"]);
    assert.equal((await run([what, "a:b:c"])).code, 2);
  }
});

/** The status of a request as a program on this machine could send it. */
function post(url: URL, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: "POST", headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("error", reject).end();
  });
}

test(
  "operate: without auth only for programs of this machine, not for pages and not through proxies",
  limits,
  async () => {
    await using gateway = await serve();
    const url = new URL("/admin/drain?wait=1", gateway.url);
    const foreign: readonly Readonly<Record<string, string>>[] = [
      { origin: "http://localhost:3000" },
      { origin: "https://evil.example" },
      { "x-forwarded-for": "203.0.113.9" },
      { forwarded: "for=203.0.113.9" },
      { via: "1.1 proxy" },
      { host: "evil.example" },
    ];
    for (const headers of foreign) assert.equal(await post(url, headers), 403, JSON.stringify(headers));
    const { status } = await fetch(url);
    assert.equal(status, 405);
    assert.equal((await fetch(new URL("/readyz", gateway.url))).status, 200);
    assert.equal((await fetch(new URL("/admin/else", gateway.url))).status, 404);
  },
);

test("operate: with auth a rule of the policy must allow it", limits, async () => {
  const ops = createApiKey();
  const dev = createApiKey();
  const hashOf = (key: string): string => `sha256:${hashApiKey(key)}`;
  const keys = { ops: { hash: hashOf(ops), groups: ["ops"] }, dev: { hash: hashOf(dev) } };
  const policy = {
    roles: { ops: { groups: ["ops"] } },
    rules: [{ effect: "allow", roles: ["ops"], methods: ["mcpctl/*"] }],
  };
  await using gateway = await serve({ auth: { keys }, policy });
  const nobody = await run(["drain", gateway.address]);
  assert.deepEqual([nobody.code, nobody.stdout], [5, ""], nobody.stderr);
  for (const what of ["tail", "drain"]) {
    const refused = await run([what, gateway.address], { MCPCTL_TOKEN: dev });
    assert.equal(refused.code, 5);
    assert.match(
      refused.stderr,
      /error\[E5106\] no rule of the policy allows key:dev the method mcpctl\/(?:tail|drain)/,
    );
    assert.match(refused.stderr, /\n {2}cause: \S[^]*\n {2}fix: \S/);
  }
  assert.equal((await run(["status", gateway.address], { MCPCTL_TOKEN: dev })).code, 0);
  assert.equal((await run(["tail", gateway.address, "--timeout", "2s"], { MCPCTL_TOKEN: ops })).code, 0);
  const far = await run(["drain", "http://gateway.example"], { MCPCTL_TOKEN: ops });
  assert.deepEqual([far.code, far.stderr.includes(ops)], [2, false]);
  assert.equal((await run(["drain", gateway.address], { MCPCTL_TOKEN: ops })).code, 0);
});

test("operate: a peer is near where its address is one of this machine", () => {
  const nearness = (remoteAddress: string | undefined): boolean => {
    const socket = { pause: () => {}, resume: () => {}, remoteAddress };
    const source = { wanted: () => {}, offer: () => {} };
    return new IncomingRequest(incomingOf(new Request("http://h/")).head, source, socket).isNear;
  };
  for (const here of ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"]) assert.ok(nearness(here), here);
  for (const away of ["192.168.0.7", "::ffff:10.0.0.1", "2001:db8::1", "", undefined])
    assert.equal(nearness(away), false, String(away));
});
