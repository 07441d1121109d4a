// The compiled binary: how soon it answers, and that nothing in the working directory runs or changes anything.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { until } from "./kit.ts";
import { connectClient } from "../kit/client.ts";
import { bunExecutable, projectRoot, startProcess } from "../kit/process.ts";

const limits = { timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), "mcpctl-binary-"));
const binary = join(folder, "mcpctl");
const canary = join(folder, "RAN");

after(() => rmSync(folder, { recursive: true, force: true }));

/** Builds it at the first call. */
function build(): string {
  if (!existsSync(binary)) {
    execFileSync(bunExecutable(), [join(projectRoot, "deploy/build.ts"), "--host", "--out", folder], { stdio: "pipe" });
  }
  return binary;
}

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], cwd: string): Run {
  const env = { ...process.env, MCPCTL_CANARY: canary };
  const { status, stdout, stderr } = spawnSync(build(), args, { cwd, env, encoding: "utf8", timeout: 120_000 });
  return { code: status, stdout, stderr };
}

function write(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
}

async function initialize(url: string): Promise<Response> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "first", version: "1" } };
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
  });
}

test("binary: --version costs less than 15 ms of processor time", limits, () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  assert.deepEqual(run(["--version"], folder), { code: 0, stdout: `${version}\n`, stderr: "" });
  // The shell reports what the kernel counted for its children: user and system, in milliseconds.
  const script = 'TIMEFORMAT="%3U %3S"; for i in {1..20}; do time "$0" --version > /dev/null; done';
  const { stderr } = spawnSync("bash", ["-c", script, build()], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const costs = stderr
    .trim()
    .split("\n")
    .map((line) => {
      const [user = Number.NaN, system = Number.NaN] = line.split(" ").map(Number);
      return (user + system) * 1000;
    });
  costs.sort((a, b) => a - b);
  const [least = Number.NaN, median = Number.NaN] = [costs[0], costs[10]];
  console.log(
    `--version: ${least.toFixed(0)} ms of processor time, median ${median.toFixed(0)} ms, ${costs.length} runs`,
  );
  assert.equal(costs.length, 20);
  assert.ok(median < 15, costs.join(" "));
});

test("binary: serve --demo answers its first request within 150 ms of its start", limits, async () => {
  build();
  const times: number[] = [];
  for (let index = 0; index < 6; index += 1) {
    const startedAt = performance.now();
    await using proc = startProcess(binary, ["serve", "--demo", "--port", "0"], { cwd: folder });
    const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
    const response = await initialize(url);
    assert.equal(response.status, 200, await response.text());
    times.push(performance.now() - startedAt);
    assert.deepEqual(await proc.stop(), { code: 0, signal: null });
  }
  times.sort((a, b) => a - b);
  console.log(`serve --demo: first answer after ${times.map((ms) => ms.toFixed(0)).join(", ")} ms`);
  assert.ok((times[0] ?? Infinity) < 150, times.join(" "));
});

test("binary: the demo backends run in it", limits, async () => {
  await using proc = startProcess(build(), ["serve", "--demo", "--port", "0"], { cwd: folder });
  const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  await proc.line(/up +notes/, "stderr");
  await using peer = await connectClient({ url });
  const { tools } = await peer.client.listTools();
  const owners = new Set(tools.map(({ name }) => name.split("__")[0]));
  assert.deepEqual(owners, new Set(["clock", "notes", "text"]));
  const { code, stdout } = run(["health", url, "-o", "json"], folder);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).status, "ok");
});

test("binary: two workers serve on one port", limits, async () => {
  const cwd = write("workers", {
    "mcpctl.json": JSON.stringify({ backends: { demo: { command: build(), args: ["demo", "text"] } } }),
  });
  await using proc = startProcess(build(), ["serve", "-c", "mcpctl.json", "--port", "0", "--workers", "2"], { cwd });
  const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
  const nodes = new Set<string>();
  await until(async () => {
    const response = await fetch(new URL("/health", url), { headers: { connection: "close" } }).catch(() => undefined);
    const node = /"node": ?"([0-9a-f]+)"/.exec((await response?.text()) ?? "")?.[1];
    if (node !== undefined) nodes.add(node);
    return nodes.size === 2;
  }, "both answer");
  {
    await using peer = await connectClient({ url });
    const { tools } = await peer.client.listTools();
    assert.ok(tools.length > 0);
  }
  assert.deepEqual(await proc.stop(), { code: 0, signal: null });
});

/** Runs when anything imports it, and tells by the canary. */
const evil =
  'import { writeFileSync } from "node:fs";\nwriteFileSync(process.env.MCPCTL_CANARY, import.meta.url);\nexport default {};\n';

const hostile: Readonly<Record<string, string>> = {
  "bunfig.toml": 'preload = ["./evil.mjs"]\n[run]\npreload = ["./evil.mjs"]\n',
  "evil.mjs": evil,
  "mcpctl.config.ts": evil,
  "mcpctl.config.mjs": evil,
  "mcpctl.ts": evil,
  "mcpctl.js": evil,
  ".config/mcpctl.ts": evil,
  ".env": "MCPCTL_EVIL=1\nPORT=1\nHOST=0.0.0.0\nNODE_OPTIONS=--import=./evil.mjs\nBUN_OPTIONS=--preload=./evil.mjs\n",
  ".env.local": "MCPCTL_EVIL=1\n",
  ".env.production": "MCPCTL_EVIL=1\n",
  ".npmrc": "registry=http://127.0.0.1:1/\nnode-options=--import=./evil.mjs\n",
  ".mcpctlrc": "naming=none\nlisten.host=0.0.0.0\n",
  ".configrc": "naming=none\n",
  "package.json": JSON.stringify({
    name: "mcpctl",
    version: "6.6.6",
    type: "module",
    imports: { "#lib": "./evil.mjs" },
    exports: "./evil.mjs",
    mcpctl: { naming: "none" },
    config: { naming: "none" },
  }),
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      baseUrl: ".",
      paths: { zod: ["./evil.mjs"], yaml: ["./evil.mjs"], "consola/core": ["./evil.mjs"], "*": ["./evil.mjs"] },
    },
  }),
  ...Object.fromEntries(
    ["zod", "yaml", "c12", "jiti", "ofetch", "consola"].flatMap((name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: "9.9.9", main: "./index.mjs" })],
      [`node_modules/${name}/index.mjs`, evil],
    ]),
  ),
};

const someConfig = { "good.yaml": "backends: { a: { url: 'http://127.0.0.1:1/mcp' } }\n" };

test("binary: hostile files in the working directory change no command", limits, () => {
  const plain = write("plain", someConfig);
  const mined = write("mined", { ...someConfig, ...hostile });
  const commands = [
    ["--version"],
    ["--help"],
    ["serve", "--help"],
    ["validate"],
    ["validate", "-c", "good.yaml"],
    ["schema"],
    ["health", "127.0.0.1:1"],
    ["serve"],
    ["serve", "--port", "no"],
    ["demo", "text"],
    ["unknown"],
  ];
  for (const command of commands) {
    const [expected, actual] = [run(command, plain), run(command, mined)];
    // A message may name the folder.
    const neutral = ({ code, stdout, stderr }: Run, at: string): Run => ({
      code,
      stdout: stdout.replaceAll(at, ""),
      stderr: stderr.replaceAll(at, ""),
    });
    assert.deepEqual(neutral(actual, mined), neutral(expected, plain), command.join(" "));
    assert.ok(
      !existsSync(canary),
      `${command.join(" ")} ran ${existsSync(canary) ? readFileSync(canary, "utf8") : ""}`,
    );
  }
});

test("binary: serve runs nothing and takes no setting from hostile files", limits, async () => {
  const env = { MCPCTL_CANARY: canary, XDG_STATE_HOME: join(folder, "state") };
  const backend = JSON.stringify({ backends: { own: { command: build(), args: ["demo", "text"], inheritEnv: true } } });
  const mined = write("served", { ...hostile, "mcpctl.json": backend });
  const [, digest = ""] = /--trust ([0-9a-f]+)/.exec(run(["serve", "--port", "0"], mined).stderr) ?? [];
  for (const args of [
    ["serve", "--demo", "--port", "0"],
    ["serve", "--port", "0", "--trust", digest],
  ]) {
    await using proc = startProcess(binary, args, { cwd: mined, env });
    const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
    await proc.line(/up +(?:notes|own)/, "stderr");
    await using peer = await connectClient({ url });
    const { tools } = await peer.client.listTools();
    assert.ok(
      tools.length > 0 && tools.every(({ name }) => name.includes("__")),
      "an rc file has switched prefixes off",
    );
    assert.deepEqual(await proc.stop(), { code: 0, signal: null });
    assert.ok(!existsSync(canary), args.join(" "));
  }
});

test("binary: .env is no environment", limits, () => {
  const reads = "backends: { a: { url: 'http://127.0.0.1:1/${MCPCTL_EVIL}' } }\n";
  const { code, stderr } = run(["validate"], write("dotenv", { ...hostile, "mcpctl.yaml": reads }));
  assert.equal(code, 1);
  assert.match(stderr, /E3110.*MCPCTL_EVIL/);
});

test("binary: extends runs and fetches nothing", limits, async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end(evil);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    for (const target of ["./evil.mjs", `http://127.0.0.1:${port}/evil.mjs`, "gh:a/b", "npm:evil"]) {
      for (const [name, text] of [
        ["mcpctl.yaml", `extends: ${JSON.stringify(target)}\nbackends: {}\n`],
        ["mcpctl.json", JSON.stringify({ extends: [target], backends: {} })],
        ["mcpctl.toml", `extends = ${JSON.stringify(target)}\n[backends]\n`],
      ] as const) {
        const cwd = write(`extends-${asked.length}-${name}`, { ...hostile, [name]: text });
        for (const command of ["validate", "serve"]) {
          // Not spawnSync: this process must be able to answer a request.
          await using proc = startProcess(build(), [command], { cwd, env: { MCPCTL_CANARY: canary } });
          const { code } = await proc.exited;
          assert.equal(code, command === "serve" ? 3 : 1, `${command} ${name} ${target}: ${proc.stderr}`);
          assert.match(proc.stderr, /E3101.*extends/);
        }
        rmSync(cwd, { recursive: true });
      }
    }
  } finally {
    server.close();
  }
  assert.deepEqual(asked, []);
  assert.ok(!existsSync(canary));
});

test("binary: the traps are sharp: the same files run where they are asked for", limits, () => {
  const mined = write("sharp", hostile);
  const env = { ...process.env, MCPCTL_CANARY: canary };
  run(["validate", "-c", "mcpctl.config.ts"], mined);
  assert.ok(existsSync(canary), "a script that is named");
  rmSync(canary);
  writeFileSync(join(mined, "show.js"), "console.log(process.env.MCPCTL_EVIL)\n");
  rmSync(join(mined, "tsconfig.json"));
  const shown = spawnSync(bunExecutable(), ["show.js"], { cwd: mined, env, encoding: "utf8" });
  assert.ok(existsSync(canary), `preload of bunfig.toml: ${shown.stderr}`);
  assert.equal(shown.stdout.trim(), "1", "the runtime reads .env");
  rmSync(canary);
});
