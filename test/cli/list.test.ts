// `mcpctl list` against the demo, the reference server, a running gateway, and servers that page badly.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { bunExecutable, projectRoot, runtime, runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder, type Ended, mcpctl } from "./kit.ts";
import { assertTranscript, mask } from "./transcript.ts";

const limits = { timeout: 120_000 };
const everything = [
  bunExecutable(),
  join(projectRoot, "node_modules/@modelcontextprotocol/server-everything/dist/index.js"),
  "stdio",
];

function script(path: string, ...args: string[]): readonly string[] {
  const [command, rest] = runtimeCommand(path, ...args);
  return [command, ...rest];
}

const demo = script("cli/main.ts", "demo", "text");
const pager = (...args: string[]): readonly string[] => script("test/kit/pager-server.ts", ...args);

function ok(ended: Ended): string {
  assert.equal(ended.code, 0, ended.stderr);
  return ended.stdout;
}

test("list: pages of the demo and of the reference server in every form", limits, () => {
  for (const [name, command] of [
    ["demo", demo],
    ["everything", everything],
  ] as const) {
    for (const form of ["table", "json", "ndjson", "name"]) {
      const ended = mcpctl(["list", "tools", "--page", "-o", form, "--", ...command]);
      assertTranscript(
        `list-page-${name}-${form}`,
        mask(ok(ended)).replaceAll(/"server": ?"[^"]+"|"name": ?"(?:bun|deno)"/g, '"server":"S"'),
      );
      assert.equal(ended.stderr, "", form);
    }
  }
});

test("list: pages of a running gateway, and of a page size that is asked for", limits, async () => {
  await using gateway = startScript("cli/main.ts", ["serve", "--demo", "--port", "0"]);
  const [url] = await gateway.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await gateway.line(/up +notes/, "stderr");
  for (const form of ["table", "json", "ndjson", "name"]) {
    const { code, stdout, stderr } = await run(["list", "tools", url, "--page", "-o", form]);
    assert.equal(code, 0, stderr);
    assertTranscript(`list-page-gateway-${form}`, mask(stdout));
  }
  const { stdout } = await run(["list", "tools", url, "--page", "--page-size", "4", "-o", "ndjson"]);
  const pages = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    pages.map(({ count }) => count),
    [4, 4, 1],
  );
  assert.deepEqual(
    pages.map(({ cursor }) => cursor),
    [null, pages[0].next, pages[1].next],
  );
  const { code } = await run(["list", "all", url, "--check"]);
  assert.equal(code, 0);
});

test("list: --via says where a gateway and its servers differ", limits, async () => {
  const config = (names: readonly string[]): string =>
    JSON.stringify({
      backends: Object.fromEntries(
        names.map((name) => [name, { command: demo[0], args: [...demo.slice(1, -1), name] }]),
      ),
    });
  using folder = createFolder({
    "all.json": config(["text", "clock"]),
    "more.json": config(["text", "clock", "notes"]),
  });
  await using gateway = startScript("cli/main.ts", ["serve", "--port", "0", "-c", join(folder.path, "all.json")]);
  const [url] = await gateway.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await gateway.line(/backend clock: is up/, "stderr");
  await gateway.line(/backend text: is up/, "stderr");
  const same = await run(["list", "all", join(folder.path, "all.json"), "--via", url]);
  assert.deepEqual([same.code, same.stdout, same.stderr], [0, "", "no differences\n"]);
  const other = await run(["list", "tools", join(folder.path, "more.json"), "--via", url]);
  assert.equal(other.code, 1);
  assert.match(other.stdout, /breaking +notes__search_notes +is gone/);
});

/** Not spawnSync, which would keep a gateway that this process reads from saying anything. */
async function run(args: readonly string[]): Promise<Ended> {
  await using proc = startScript("cli/main.ts", args);
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

test("list: documents are what their schemas say", limits, () => {
  using folder = createFolder({
    "m.json": JSON.stringify({
      mcpServers: { demo: { command: demo[0], args: demo.slice(1) }, gone: { command: "no-such-program" } },
    }),
  });
  const ajv = new Ajv2020({ strict: false });
  const schemas = new Map<string, object>();
  const schemaOf = (kind: string): object => {
    const schema = schemas.get(kind) ?? JSON.parse(ok(mcpctl(["schema", kind])));
    schemas.set(kind, schema);
    return schema;
  };
  for (const [args, code] of [
    [["list", "servers", "-c", "m.json"], 0],
    [["list", "tools", "-c", "m.json"], 1],
    [["list", "all", "m.json:demo"], 0],
    [["list", "tools", "m.json:demo", "--page"], 0],
    [["list", "tools", "m.json:demo", "--page", "1"], 0],
    [["list", "all", "m.json:demo", "--check"], 0],
    [["call", "m.json:demo/word_count", "text=a"], 0],
    [["get", "m.json:demo/summarize", "text=a"], 0],
    [["probe", "m.json:demo", "--deep"], 0],
    [["explain"], 0],
    [["explain", "E4103"], 0],
    [["version"], 0],
  ] as const) {
    for (const form of ["json", "ndjson"]) {
      const ended = mcpctl([...args, "-o", form], folder.path);
      assert.equal(ended.code, code, ended.stderr);
      for (const line of form === "json" ? [ended.stdout] : ended.stdout.trim().split("\n")) {
        const document = JSON.parse(line);
        assert.equal(document.apiVersion, "mcpctl/v1");
        assert.ok(ajv.validate(schemaOf(document.kind), document), `${args.join(" ")}: ${ajv.errorsText()}`);
      }
      for (const line of ended.stderr.split("\n").filter((each) => each.startsWith("{"))) {
        assert.ok(ajv.validate(schemaOf("Error"), JSON.parse(line)), ajv.errorsText());
      }
    }
  }
});

test("list: items by glob, pattern and number of tokens", limits, () => {
  using folder = createFolder({
    "m.json": JSON.stringify({ mcpServers: { demo: { command: demo[0], args: demo.slice(1) } } }),
  });
  const names = (...args: string[]): readonly string[] =>
    ok(mcpctl(["list", ...args, "-o", "name"], folder.path))
      .trim()
      .split("\n");
  assert.deepEqual(names("servers", "m.json"), ["demo"]);
  assert.deepEqual(names("tools", "m.json:demo/re*"), ["demo/repeat_slowly", "demo/reverse"]);
  assert.deepEqual(names("tools", "m.json:demo", "--grep", "accents"), ["demo/reverse", "demo/slugify"]);
  assert.equal(names("tools", "m.json:demo", "--sort-by", "tokens")[0], "demo/repeat_slowly");
  assert.equal(names("m.json:demo").at(-1), "demo/summarize");
});

test("list: pages by number, limits, and a dump of what came", limits, () => {
  const names = (...args: string[]): readonly string[] =>
    ok(mcpctl(["list", "tools", ...args, "-o", "name", "--", ...pager("good")]))
      .trim()
      .split("\n");
  assert.equal(names().length, 10);
  assert.deepEqual(names("--page", "3"), ["tool_0000008", "tool_0000009"]);
  assert.equal(names("--page", "2..").length, 6);
  assert.deepEqual(names("--cursor", "8"), ["tool_0000008", "tool_0000009"]);
  assert.equal(names("--max-pages", "2").length, 8);
  assert.equal(names("--max-items", "5").length, 5);
  using folder = createFolder();
  ok(mcpctl(["list", "tools", "--dump", "out", "--", ...pager("good")], folder.path));
  const files = readdirSync(join(folder.path, "out")).toSorted();
  assert.equal(files.length, 3);
  const first = readFileSync(join(folder.path, "out", files[0] ?? ""), "utf8");
  assert.match(first, /^\{"jsonrpc":"2\.0","id":\d+,"result":\{"tools":\[\{"name":"tool_0000000"/);
});

test("list: --check finds every fault and exits with 1", limits, () => {
  for (const [mode, fault] of [
    ["cycle", "cycle"],
    ["repeat", "cycle"],
    ["duplicate", "duplicate"],
    ["order", "order"],
    ["changing", "changed"],
    ["wording", "changed"],
    ["bogus", "bogus-cursor"],
    ["empty", "empty-page"],
    ["error", "failed"],
    ["hang", "failed"],
  ] as const) {
    const { code, stdout, stderr } = mcpctl([
      "list",
      "tools",
      "--check",
      "-o",
      "json",
      "--timeout",
      mode === "hang" ? "2s" : "30s",
      "--",
      ...pager(mode),
    ]);
    assert.equal(code, 1, `${mode}: ${stderr}`);
    const faults = JSON.parse(stdout).listings[0].faults.map((each: { readonly fault: string }) => each.fault);
    assert.deepEqual([...new Set(faults)], [fault], mode);
  }
  const good = mcpctl(["list", "tools", "--check", "--", ...pager("good")]);
  assert.equal(good.code, 0, good.stdout);
  assert.match(good.stdout, / ok$/m);
});

test("list: a listing without an end is an error that names the cursor", limits, () => {
  const { code, stdout, stderr } = mcpctl(["list", "tools", "--", ...pager("cycle")]);
  assert.deepEqual([code, stdout], [6, ""]);
  assert.match(stderr, /error\[E6020\].*page 4 of tools\/list leads back to the cursor "4"/);
});

test(
  "list: a million items leave in pages, and the memory stays flat",
  { timeout: 280_000, skip: process.platform !== "linux" },
  async () => {
    const [command, args] = runtimeCommand(
      "cli/main.ts",
      ...["list", "tools", "-o", "ndjson", "--timeout", "5m", "--"],
      ...pager("good", "--count", "1000000", "--size", "10000"),
    );
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let lines = 0;
    let peakKb = 0;
    for await (const chunk of child.stdout) {
      for (const byte of chunk as Uint8Array) if (byte === 10) lines += 1;
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peakKb = Math.max(peakKb, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0));
    }
    assert.equal(lines, 1_000_000);
    // V8 collects later than the engine of the binary, which is what users run.
    const limitKb = runtime === "bun" ? 200 * 1024 : 400 * 1024;
    assert.ok(peakKb < limitKb, `${peakKb} KiB resident`);
  },
);
