// `mcpctl auth login`: in a terminal, with a browser on the same machine, and with an address pasted from another one.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { until } from "../e2e/kit.ts";
import { Browser } from "../kit/browser.ts";
import { startOAuthWorld } from "../kit/oauth-world.ts";
import { runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder } from "./kit.ts";

const limits = { timeout: 120_000 };
const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

const configOf = (url: string, auth: unknown = "oauth"): string =>
  JSON.stringify({ backends: { wiki: { url, auth } } });

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line while the servers of this process go on. */
async function run(args: readonly string[], cwd: string): Promise<Run> {
  await using proc = startScript("cli/main.ts", args, { cwd, env: { HOME: cwd, XDG_STATE_HOME: `${cwd}/state` } });
  proc.end();
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

test("login: in a terminal, and the browser comes back by itself", { ...limits, skip: !hasTmux }, async () => {
  await using world = await startOAuthWorld();
  using folder = createFolder({ "mcpctl.json": configOf(world.resource.url) });
  const socket = `mcpctl-login-${process.pid}-${randomUUID()}`;
  const tmux = (...words: readonly string[]): string =>
    spawnSync("tmux", ["-L", socket, "-f", "/dev/null", ...words], { encoding: "utf8" }).stdout;
  const [command, rest] = runtimeCommand("cli/main.ts", "auth", "login", "wiki", "-c", "mcpctl.json");
  const line = [command, ...rest].map((word) => `'${word}'`).join(" ");
  const script = `cd '${folder.path}'; env HOME='${folder.path}' XDG_STATE_HOME='${folder.path}/state' ${line}; echo "(exit $?)"; sleep 60`;
  const untilShown = async (pattern: RegExp): Promise<string> => {
    let shown = "";
    await until(() => pattern.test((shown = tmux("capture-pane", "-p", "-J"))), `${pattern} is shown`, 30_000);
    return shown;
  };
  try {
    tmux("new-session", "-d", "-x", "200", "-y", "40", script);
    const [, address = ""] = /(http:\S+\/auth\?\S+)/.exec(await untilShown(/at which it ends:/)) ?? [];
    const page = await new Browser().open(address);
    assert.match(page.html, /You are signed in\. You can close this page\./);
    assert.equal(page.headers.get("referrer-policy"), "no-referrer");
    const shown = await untilShown(/\(exit \d+\)/);
    assert.match(shown, /signed in to wiki; the token is renewed by itself\n\(exit 0\)/);
  } finally {
    tmux("kill-server");
  }
  const status = await run(["auth", "status", "-c", "mcpctl.json", "-o", "json"], folder.path);
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /"state": "active"/);
  assert.ok(!/eyJ|"access|"refresh/i.test(status.stdout), status.stdout);
  const call = await run(["call", "mcpctl.json:wiki/echo", "text=hello"], folder.path);
  assert.match(call.stdout, /hello/, call.stderr);
  const out = await run(["auth", "logout", "wiki", "-c", "mcpctl.json"], folder.path);
  assert.deepEqual([out.code, out.stderr], [0, "signed out of wiki\n"]);
  const over = await run(["auth", "status", "wiki", "-c", "mcpctl.json"], folder.path);
  assert.equal(over.code, 1);
  assert.match(over.stdout, /^wiki +not signed in/m);
});

test("login: the address is pasted where the browser is on another machine", limits, async () => {
  await using world = await startOAuthWorld();
  using folder = createFolder({ "mcpctl.json": configOf(world.resource.url) });
  const env = { HOME: folder.path, XDG_STATE_HOME: `${folder.path}/state` };
  await using proc = startScript("cli/main.ts", ["auth", "login", "wiki", "-c", "mcpctl.json", "-o", "json"], {
    cwd: folder.path,
    env,
  });
  const [, address = ""] = await proc.line(/^ {2}(http:\S+\/auth\?\S+)$/, "stderr");
  // That browser cannot reach this machine.
  const page = await new Browser().open(address, {}, (url) => url.pathname === "/callback");
  proc.write("hello\n");
  await proc.line(/that is not the whole address: it has no state/, "stderr");
  const foreign = new URL(page.url);
  foreign.searchParams.set("state", "x".repeat(43));
  proc.write(`${foreign.href}\n`);
  await proc.line(/belongs to another login/, "stderr");
  proc.write(`  ${page.url.href}\n`);
  assert.equal((await proc.exited).code, 0, proc.stderr);
  assert.match(proc.stdout, /"kind": "Login",\n {2}"backend": "wiki",\n {2}"state": "active"/);
  assert.ok(!/eyJ/.test(proc.stdout + proc.stderr));
});

test("login: nobody who signs in is waited for as long as --timeout says", limits, async () => {
  await using world = await startOAuthWorld();
  using folder = createFolder({ "mcpctl.json": configOf(world.resource.url) });
  const { code, stdout, stderr } = await run(
    ["auth", "login", "wiki", "-c", "mcpctl.json", "--timeout", "3s"],
    folder.path,
  );
  assert.deepEqual([code, stdout], [stderr.includes("open this address") ? 5 : 4, ""], stderr);
  assert.match(stderr, /^error\[E(?:5108|4104)\] wiki: (?:nobody signed in|.* did not answer) within 3 s$/m);
});

test("login: what it cannot do it says", limits, async () => {
  await using world = await startOAuthWorld();
  const { url } = world.resource;
  using folder = createFolder({
    "plain.json": JSON.stringify({ backends: { wiki: { url } } }),
    "keys.json": JSON.stringify({
      auth: { keys: { ci: { hash: `sha256:${"0".repeat(64)}` } } },
      backends: { wiki: { url, auth: "oauth" } },
    }),
    "other.json": configOf(url, { grant: "authorization_code", issuer: "https://other.example" }),
  });
  const said = async (name: string, file: string): Promise<string> =>
    (await run(["auth", "login", name, "-c", file], folder.path)).stderr;
  assert.match(await said("wiki", "plain.json"), /nobody signs in to wiki; .*"auth: oauth"/);
  assert.match(await said("no", "plain.json"), /the config has no backend "no"/);
  assert.match(await said("wiki", "keys.json"), /--principal, like key:ci/);
  const other = await run(["auth", "login", "wiki", "-c", "other.json"], folder.path);
  assert.equal(other.code, 5, other.stderr);
  assert.match(other.stderr, /names the issuer http:\S+, and auth\.issuer is https:\/\/other\.example/);
  assert.ok(
    !existsSync(`${folder.path}/state/mcpctl/oauth`) ||
      !readdirSync(`${folder.path}/state/mcpctl/oauth`).some((name) => name.startsWith("login-")),
  );
});
