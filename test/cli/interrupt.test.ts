// Ctrl-C in the middle of a command: what there is is printed, children end, and the exit code says so.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { type Proc, runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder } from "./kit.ts";

const limits = { timeout: 120_000 };

function processesOf(mark: string): readonly string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
    } catch {
      return false;
    }
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A server that pages for ever and slowly, and one that never answers and ignores SIGTERM. */
function servers(mark: string): object {
  const [command, args] = runtimeCommand("test/kit/pager-server.ts", "hang", "--size", "2");
  return {
    pager: { command, args: [...args, mark] },
    stubborn: { command: "bash", args: ["-c", 'trap "" TERM; while :; do sleep 1; done', mark] },
  };
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`interrupt: ${signal} prints what there is and leaves nothing behind`, limits, async () => {
    const mark = `mark-${randomUUID()}`;
    using folder = createFolder({ "m.json": JSON.stringify({ mcpServers: servers(mark) }) });
    await using listing: Proc = startScript("cli/main.ts", ["list", "tools", "m.json", "-o", "ndjson"], {
      cwd: folder.path,
    });
    // Two pages have come; the third one never will.
    await listing.line(/tool_0000003/);
    listing.kill(signal);
    assert.deepEqual(await listing.exited, { code, signal: null });
    assert.equal(listing.stdout.trim().split("\n").length, 4);
    await until("no process is left", () => processesOf(mark).length === 0);
  });
}

test("interrupt: a table has what was there, and no child outlives it", limits, async () => {
  const mark = `mark-${randomUUID()}`;
  const { stubborn } = Object(servers(mark));
  const [command, args] = runtimeCommand("test/kit/pager-server.ts", "good");
  const good = { command, args: [...args, mark] };
  using folder = createFolder({ "m.json": JSON.stringify({ mcpServers: { good, stubborn } }) });
  await using listing = startScript("cli/main.ts", ["list", "tools", "m.json"], { cwd: folder.path });
  // The good one has been listed and is gone; the other one is still waited for.
  await until("one server is left", () => processesOf(mark).length > 1);
  await until("the good server has ended", () => !processesOf(mark).some((pid) => isPager(pid)));
  listing.kill("SIGINT");
  assert.deepEqual(await listing.exited, { code: 130, signal: null });
  assert.match(listing.stdout, /good\/tool_0000009/);
  await until("no process is left", () => processesOf(mark).length === 0);
});

function isPager(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("pager-server");
  } catch {
    return false;
  }
}
