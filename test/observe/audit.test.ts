// The audit log: what it says, and that nothing can be changed, taken out or put in unseen.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Flight } from "../../lib/core/flight.ts";
import { silentObserver } from "../../lib/core/observer.ts";
import { AuditLog, verifyAudit } from "../../lib/observe/audit.ts";
import { clientWith, keyOf, knock, startLocked } from "../front/auth-kit.ts";
import { createGateway, FrontClient } from "../front/kit.ts";

interface Folder extends Disposable {
  readonly path: string;
  readonly file: string;
}

function createFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "audit-"));
  return { path, file: join(path, "audit.ndjson"), [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const linesOf = (file: string): string[] => readFileSync(file, "utf8").trimEnd().split("\n");
const parsed = (file: string): Record<string, unknown>[] =>
  linesOf(file).map((line) => JSON.parse(line) as Record<string, unknown>);

async function written(file: string, count: number, maxBytes = 2 ** 30): Promise<void> {
  const log = await AuditLog.open({ file, maxBytes, observer: silentObserver });
  for (let at = 0; at < count; at += 1) log.write({ event: "call", name: `tool ${at}`, text: 'a "hash":"b"\n' });
  await log.close();
}

test("audit: the chain holds over restarts, and its file is for its owner alone", async () => {
  using folder = createFolder();
  await written(folder.file, 3);
  await written(folder.file, 2);
  const { lines, hash, broken } = await verifyAudit([folder.file]);
  assert.deepEqual([lines, broken], [7, undefined]);
  assert.equal(parsed(folder.file).at(-1)?.["hash"], hash);
  assert.equal(statSync(folder.file).mode & 0o777, 0o600);
});

test("audit: whatever is changed, taken out, put in or moved is found, and where", async () => {
  using folder = createFolder();
  await written(folder.file, 5);
  const good = linesOf(folder.file);
  const line = (at: number): string => good[at] ?? "";
  const changes: Readonly<Record<string, readonly [lines: readonly string[], at: number]>> = {
    "a changed word": [good.with(2, line(2).replace("tool 1", "tool 9")), 3],
    "a line taken out": [good.toSpliced(2, 1), 3],
    "a line that comes again": [good.toSpliced(3, 0, line(2)), 4],
    "two lines that changed places": [good.with(2, line(3)).with(3, line(2)), 3],
    "a line of nobody": [good.toSpliced(2, 0, "{}"), 3],
    "a changed hash": [good.with(2, line(2).replace(/"hash":"../, '"hash":"zz')), 3],
    "the first lines taken out": [good.slice(2), 1],
  };
  for (const [what, [lines, at]] of Object.entries(changes)) {
    writeFileSync(folder.file, `${lines.join("\n")}\n`);
    assert.equal((await verifyAudit([folder.file])).broken?.line, at, what);
  }
});

test("audit: a file that is full is put aside, and the next one goes on", async () => {
  using folder = createFolder();
  const log = await AuditLog.open({ file: folder.file, maxBytes: 2000, observer: silentObserver });
  for (let round = 0; round < 5; round += 1) {
    for (let at = 0; at < 10; at += 1) log.write({ event: "call", round });
    // Each round is a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  const files = readdirSync(folder.path);
  assert.ok(files.length > 2, files.join());
  const inOrder = files.toSorted((a, b) => (a === "audit.ndjson" ? 1 : b === "audit.ndjson" ? -1 : a < b ? -1 : 1));
  const { broken, lines } = await verifyAudit(inOrder.map((name) => join(folder.path, name)));
  assert.equal(broken, undefined);
  assert.equal(lines, 50 + files.length);
  assert.equal((await verifyAudit([join(folder.path, inOrder[1] ?? "")])).broken, undefined);
});

test("audit: a line that a crash has cut off does not hide those behind it", async () => {
  using folder = createFolder();
  await written(folder.file, 2);
  writeFileSync(folder.file, readFileSync(folder.file, "utf8").slice(0, -20));
  await written(folder.file, 1);
  const { broken } = await verifyAudit([folder.file]);
  assert.equal(broken?.line, 3);
  assert.equal(parsedAfter(folder.file, 3).at(-1)?.["name"], "tool 0");
});

const parsedAfter = (file: string, from: number): Record<string, unknown>[] =>
  linesOf(file)
    .slice(from)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("audit: the gateway writes who called what and what became of it, and no secrets", async () => {
  using folder = createFolder();
  const [ada, eve] = [keyOf("ada"), keyOf("eve")];
  const rules = [{ effect: "allow", tools: ["work"], arguments: { "/ok": { const: true } } }] as const;
  {
    await using bench = await startLocked(
      { keys: [ada, eve] },
      { plan: { audit: { file: folder.file, maxBytes: 2 ** 30 }, policy: { default: "deny", roles: {}, rules } } },
    );
    const client = clientWith(bench, ada.key);
    await client.initialize();
    const call = (id: number, name: string, args: object): object => ({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name, arguments: args },
    });
    const good = client.post(call(1, "peer__work", { ok: true, secret: "s3cret" }));
    (await bench.peer.call()).reply("done");
    await good;
    await client.post(call(2, "peer__work", { ok: false }));
    await client.post(call(3, "peer__absent", {}));
    await knock(bench, "wrong-key");
  }
  const entries = parsed(folder.file).map(({ event, principal, name, outcome, code, rule, backend }) =>
    [event, principal, name, outcome, code, rule, backend].filter((each) => each !== undefined),
  );
  assert.deepEqual(entries, [
    ["begin"],
    ["call", "key:ada", "peer__work", "answered", 1, "peer"],
    ["call", "key:ada", "peer__work", "refused", "E5105"],
    ["call", "key:ada", "peer__absent", "refused", "E6104"],
    ["refused", "E5101"],
  ]);
  const text = readFileSync(folder.file, "utf8");
  for (const secret of [ada.key, "s3cret", "wrong-key"]) assert.ok(!text.includes(secret), secret);
  assert.equal((await verifyAudit([folder.file])).broken, undefined);
});

test("audit: a log that cannot be written is said, and calls go on", async () => {
  using folder = createFolder();
  const logged: string[] = [];
  const audit = { file: join(folder.path, "none", "audit.ndjson"), maxBytes: 2 ** 30 };
  const gateway = await createGateway({ plan: { audit } }, {}, logged);
  await new FrontClient(gateway).initialize();
  await gateway.close();
  assert.ok(logged.some((line) => line.startsWith("error gateway: the audit log cannot be opened")));
});

test("audit: entries of any size and in any number stay in order, across pieces, full files and restarts", async () => {
  using folder = createFolder();
  const sizes = [1, 70_000, 10, 300_000, 64 * 1024, 5, 4_000, 200, 1_000_000, 3];
  for (let process = 0; process < 3; process += 1) {
    const log = await AuditLog.open({ file: folder.file, maxBytes: 400_000, observer: silentObserver });
    for (let at = 0; at < 1_000; at += 1)
      log.write({ event: "call", at, text: "ü".repeat((sizes[at % 300] ?? 0) / 2) });
    await log.close();
  }
  const seqOf = (name: string): number => Number(name.split(".").at(-1));
  const aside = readdirSync(folder.path).filter((name) => name !== "audit.ndjson");
  const names = [...aside.toSorted((a, b) => seqOf(a) - seqOf(b)), "audit.ndjson"];
  const files = names.map((name) => join(folder.path, name));
  assert.ok(files.length > 3, String(files.length));
  const { broken, lines } = await verifyAudit(files);
  assert.equal(broken, undefined);
  const calls = files.flatMap(parsed).filter(({ event }) => event === "call");
  assert.equal(lines - calls.length, files.length - 1 + 3, "one first line for each file and each process");
  assert.deepEqual(
    calls.map(({ at }) => at),
    Array.from({ length: 3_000 }, (_, at) => at % 1_000),
  );
});

test("audit: a call is written as JSON whatever is in its names, and each member where it belongs", async () => {
  using folder = createFolder();
  const log = await AuditLog.open({ file: folder.file, maxBytes: 2 ** 30, observer: silentObserver });
  const odd = ["plain", 'a"b\\c', "\u0000\u001f\u007f", "ü — 日本 🙂", "x".repeat(5_000), ""];
  const written = odd.flatMap((text) => [
    { id: "7", name: "b__t", principal: text, failed: false, code: "", rule: undefined },
    { id: JSON.stringify(text), name: text, principal: "p", failed: true, code: "", rule: 3 },
    { id: "7", name: text, principal: text, failed: true, code: "E5105", rule: undefined },
  ]);
  for (const { id, ...facts } of written) {
    const flight = Object.assign(new Flight(id), facts, { method: "tools/call", backend: "b" });
    flight.end(flight.at + 17);
    log.called(flight);
  }
  await log.close();
  const lines = parsed(folder.file).slice(1);
  assert.deepEqual(
    lines.map(({ id, name, principal, outcome, code, rule, method, backend, tookMs, event }) => {
      assert.deepEqual([event, method, backend, tookMs], ["call", "tools/call", "b", 17]);
      return { id, name, principal, outcome, code, rule };
    }),
    written.map(({ id, name, principal, failed, code, rule }) => {
      const outcome = code !== "" ? "refused" : failed ? "failed" : "answered";
      return { id, name, principal, outcome, code: code === "" ? undefined : code, rule };
    }),
  );
  for (const { time } of lines) assert.equal(new Date(String(time)).toISOString(), time);
  assert.equal((await verifyAudit([folder.file])).broken, undefined);
});
