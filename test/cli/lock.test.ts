// `mcpctl lock`: what is written, what is shown as changed, and how a gateway that enforces the lock follows it.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { recordOf, until } from "../e2e/kit.ts";
import { startScript } from "../kit/process.ts";
import { type McpPeer, servePeer } from "../route/peer.ts";
import { createFolder, type Ended, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };

interface Tool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema?: object;
}

const reading = (description: string): Tool => ({ name: "read", description, inputSchema: { type: "object" } });

class World implements AsyncDisposable {
  readonly peer: McpPeer;
  readonly folder: Folder;
  readonly #now: { tools: readonly Tool[] };

  private constructor(peer: McpPeer, folder: Folder, now: { tools: readonly Tool[] }) {
    [this.peer, this.folder, this.#now] = [peer, folder, now];
  }

  static async create(more: object = {}): Promise<World> {
    const now: { tools: readonly Tool[] } = { tools: [reading("Reads a file."), { name: "list" }] };
    const peer = await servePeer(
      { tools: { listChanged: true } },
      {
        "tools/list": (exchange) => exchange.reply({ tools: now.tools }),
        "tools/call": (exchange) => exchange.reply({ content: [] }),
      },
    );
    const config = { listen: "127.0.0.1:0", backends: { fs: { url: peer.url } }, ...more };
    return new World(peer, createFolder({ "mcpctl.json": JSON.stringify(config) }), now);
  }

  change(...tools: readonly Tool[]): void {
    this.#now.tools = tools;
    this.peer.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  }

  /** Not spawnSync: the servers in this process must answer meanwhile. */
  async run(...args: readonly string[]): Promise<Ended> {
    await using proc = startScript("cli/main.ts", args, { cwd: this.folder.path });
    const { code } = await proc.exited;
    return { code, stdout: proc.stdout, stderr: proc.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

test("lock: a changed tool behind a gateway is gone, shown by --diff, and back when accepted", limits, async () => {
  await using world = await World.create({ lock: "enforce" });
  const first = await world.run("lock");
  assert.deepEqual([first.code, first.stdout, first.stderr], [0, "", "mcp.lock: 2 tools of 1 server\n"]);
  await using gateway = startScript("cli/main.ts", ["serve"], { cwd: world.folder.path });
  const [, url = ""] = await gateway.line(/ at (http:\S+)$/, "stderr");
  let session = "";
  const ask = async (method: string, params: object): Promise<Readonly<Record<string, unknown>>> => {
    const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
    const response = await fetch(url, {
      method: "POST",
      headers: session === "" ? headers : { ...headers, "mcp-session-id": session },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    session = response.headers.get("mcp-session-id") ?? session;
    return recordOf(await response.json());
  };
  const names = async (): Promise<readonly unknown[]> => {
    const { tools } = recordOf((await ask("tools/list", {}))["result"]);
    return Array.isArray(tools) ? tools.map((tool) => recordOf(tool)["name"]) : [];
  };
  const clientInfo = { name: "test", version: "1" };
  await ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  await until(async () => (await names()).length === 2, "both tools are there");

  world.change(reading("Reads a file!"), { name: "list" });
  await until(async () => (await names()).length === 1, "the changed tool is hidden");
  assert.deepEqual(await names(), ["fs__list"]);
  const { message } = recordOf((await ask("tools/call", { name: "fs__read", arguments: {} }))["error"]);
  assert.match(String(message), /"fs__read" is not as the lock has it: description says something else/);

  const diff = await world.run("lock", "--diff");
  assert.equal(diff.code, 1, diff.stderr);
  assert.equal(
    diff.stdout,
    [
      "CHANGE    TOOL     WHAT",
      "cosmetic  fs/read  description says something else",
      "",
      "fs/read says",
      "  - Reads a file.",
      "  + Reads a file!",
      "",
    ].join("\n"),
  );
  const accepted = await world.run("lock", "--accept", "fs__read");
  assert.equal(accepted.code, 0, accepted.stderr);
  await until(async () => (await names()).length === 2, "the accepted tool is back");
  assert.ok((await ask("tools/call", { name: "fs__read", arguments: {} }))["result"]);
  const same = await world.run("lock", "--diff");
  assert.deepEqual([same.code, same.stdout, same.stderr], [0, "", "as mcp.lock has it\n"]);
});

test("lock: takes over what is named alone, and says so to scripts", limits, async () => {
  await using world = await World.create();
  const none = await world.run("lock", "--diff");
  assert.deepEqual([none.code, none.stderr], [1, "there is no mcp.lock: write it with mcpctl lock\n"]);
  assert.ok(!existsSync(join(world.folder.path, "mcp.lock")));
  await world.run("lock");
  world.change(reading("Reads."), { name: "fresh" });
  const accepted = await world.run("lock", "--accept", "fs/fr*", "-o", "name");
  assert.deepEqual([accepted.code, accepted.stdout], [0, "fs/fresh\n"]);
  const diff = await world.run("lock", "--diff", "-o", "json");
  assert.equal(diff.code, 1);
  const document = recordOf(JSON.parse(diff.stdout));
  const ajv = new Ajv2020();
  assert.ok(ajv.validate(JSON.parse(mcpctl(["schema", "LockDiff"]).stdout), document), ajv.errorsText());
  assert.deepEqual(document["changes"], [
    { server: "fs", name: "list", weight: "breaking", what: "is gone" },
    { server: "fs", name: "read", weight: "cosmetic", what: "description says something else" },
  ]);
  assert.deepEqual(document["descriptions"], [
    { server: "fs", name: "read", before: "Reads a file.", after: "Reads." },
  ]);
  // What is gone is accepted, too.
  assert.equal((await world.run("lock", "--accept", "list")).code, 0);
  const rest = await world.run("lock", "--diff", "-o", "name");
  assert.deepEqual([rest.code, rest.stdout], [1, "fs/read\n"]);
  const wrong = await world.run("lock", "--accept", "fs/raed");
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /error\[E2004\] no tool is called "fs\/raed"; did you mean fs\/read\?/);
  for (const args of [["fs/read"], ["--diff", "--accept"]])
    assert.equal((await world.run("lock", ...args)).code, 2, args.join(" "));
});

test("lock: validate --lock names each change with the lock's file", limits, async () => {
  await using world = await World.create();
  const none = await world.run("validate", "--lock");
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  assert.match(none.stderr, /^mcp\.lock.* error\[E3108\] there is no mcp\.lock; write it with mcpctl lock$/m);
  await world.run("lock");
  const same = await world.run("validate", "--lock");
  assert.deepEqual([same.code, same.stderr], [0, ""]);
  world.change(reading("Reads."), { name: "list" });
  const changed = await world.run("validate", "--lock", "-o", "json");
  assert.equal(changed.code, 1);
  const { problems } = recordOf(JSON.parse(changed.stdout));
  const message = "fs/read: description says something else (cosmetic)";
  assert.deepEqual(problems, [{ code: "E6141", severity: "error", file: "mcp.lock", line: 0, column: 0, message }]);
  assert.equal((await world.run("validate")).code, 0, "without --lock nobody is asked");
});

test("lock: what a server that does not answer had stays in the lock", limits, async () => {
  await using world = await World.create();
  await world.run("lock");
  const file = join(world.folder.path, "mcp.lock");
  const before = readFileSync(file, "utf8");
  const dead = { fs: { url: "http://127.0.0.1:1/mcp" } };
  writeFileSync(join(world.folder.path, "mcpctl.json"), JSON.stringify({ backends: dead }));
  const alone = await world.run("lock");
  assert.deepEqual([alone.code, alone.stdout], [4, ""]);
  assert.match(alone.stderr, /error\[E4101\] fs: /);
  const both = JSON.stringify({ backends: { ...dead, other: { url: world.peer.url } } });
  writeFileSync(join(world.folder.path, "mcpctl.json"), both);
  const some = await world.run("lock", "--accept");
  assert.equal(some.code, 1, some.stderr);
  const [was, is] = [before, readFileSync(file, "utf8")].map((text) =>
    recordOf(recordOf(JSON.parse(text))["backends"]),
  );
  assert.deepEqual([is?.["fs"], is?.["other"]], [was?.["fs"], was?.["fs"]]);
});

test("lock: starts nothing that nobody has agreed to", limits, () => {
  using folder = createFolder({
    "mcpctl.json": JSON.stringify({
      backends: { it: { command: "sh", args: ["-c", "echo started > proof"], cwd: "." } },
    }),
  });
  const { code, stdout, stderr } = mcpctl(["lock"], folder.path, { XDG_STATE_HOME: join(folder.path, "state") });
  assert.deepEqual([code, stdout], [3, ""]);
  assert.match(stderr, /error\[E3005\].*--trust/);
  assert.deepEqual(
    ["proof", "mcp.lock"].map((name) => existsSync(join(folder.path, name))),
    [false, false],
  );
});
