// What people see: commands in a real terminal of 80 and of 140 columns, and the same in a pipe, with and without colour.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { projectRoot, runtime, runtimeCommand } from "../kit/process.ts";
import { createFolder, mcpctl } from "./kit.ts";
import { assertTranscript, mask } from "./transcript.ts";

const limits = { timeout: 120_000 };
const hasTmux = spawnSync("tmux", ["-V"]).status === 0;
const escape = "\u001b";

const demo = (name: string): object => {
  const [command, args] = runtimeCommand("cli/main.ts", "demo", name);
  return { command, args };
};

const config = JSON.stringify(
  {
    mcpServers: {
      text: demo("text"),
      noisy: {
        command: "sh",
        args: ["-c", 'echo "Starting the server on port 3000"; exec "$0" "$@"', ...commandLine("clock")],
      },
      gone: { command: "no-such-program" },
      far: { url: "http://127.0.0.1:1/mcp" },
      crash: { command: "sh", args: ["-c", 'echo "Error: API_KEY must be set" >&2; exit 3'] },
    },
  },
  undefined,
  2,
);

function commandLine(name: string): readonly string[] {
  const [command, args] = runtimeCommand("cli/main.ts", "demo", name);
  return [command, ...args];
}

const broken = "backends:\n  a: { comand: cat }\n  b: { url: 'http://h.example/mcp', isolation: sharred }\n";

const scenes: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["help", ["--help"]],
  ["probe-help", ["probe", "--help"]],
  ["probe", ["probe", "m.json"]],
  ["probe-deep", ["probe", "m.json:text", "--deep"]],
  ["list", ["list", "tools", "m.json:text"]],
  ["list-servers", ["list", "servers", "m.json"]],
  ["call", ["call", "m.json:text/word_count", "text=two words"]],
  ["validate", ["validate", "bad.yaml"]],
  ["usage", ["probe", "--dep"]],
  ["failure", ["call", "m.json:crash/x"]],
  ["explain", ["explain", "E4103"]],
];

/** What a terminal shows when the command has ended: text, or text with its colours. */
function inTmux(args: readonly string[], width: number, cwd: string, colors: boolean): string {
  // A server of its own: one that is ending takes no new session.
  const socket = `mcpctl-${process.pid}-${randomUUID()}`;
  const tmux = (...words: readonly string[]): string =>
    spawnSync("tmux", ["-L", socket, "-f", "/dev/null", ...words], { encoding: "utf8" }).stdout;
  const [command, rest] = runtimeCommand("cli/main.ts", ...args);
  const line = [command, ...rest].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
  const env = `HOME='${cwd}' XDG_STATE_HOME='${cwd}' XDG_CACHE_HOME='${cwd}' CI= NO_COLOR=${colors ? "" : "1"}`;
  try {
    // The pane stays, so that it can be looked at.
    const script = `cd '${cwd}'; env ${env} ${line}; echo; echo '${over}'; sleep 60`;
    tmux("new-session", "-d", "-x", String(width), "-y", "70", script);
    return `${untilOver(() => tmux("capture-pane", "-p", ...(colors ? ["-e"] : [])))}\n`;
  } finally {
    tmux("kill-server");
  }
}

const over = "(end of the scene)";

/** What the terminal shows once the last line is there: the command's end is known before its last words are drawn. */
function untilOver(capture: () => string): string {
  const until = Date.now() + 30_000;
  for (;;) {
    const shown = capture();
    const end = shown.indexOf(over);
    if (end >= 0) return shown.slice(0, end).trimEnd();
    assert.ok(Date.now() < until, `the scene does not end:\n${shown}`);
  }
}

/** Paths, the runtime, and times of this run. */
function settle(text: string, cwd: string): string {
  return (
    mask(text)
      .replaceAll(cwd, "/cwd")
      .replaceAll(projectRoot, "/project/")
      // Where this line is broken depends on how long the path is.
      .replaceAll(
        /^ +\/project\/\S+\s+\/project\/\S+\s+demo\s+text$/gm,
        (line) => `  ${line.trim().replaceAll(/\s+/g, " ")}`,
      )
      .replaceAll(process.execPath, "/runtime")
      .replaceAll(/[█▌]+/g, "█")
      .replaceAll(/ {2,}█ */g, "  █  ")
      .replaceAll(/ +T(?= |$)/gm, "  T")
      .replaceAll(/ +(PING|TIME)(?= |$)/gm, "  $1")
      .replaceAll(/mcpctl v?\d+\.\d+\.\d+/g, "mcpctl VERSION")
      .replaceAll(/[ \t]+$/gm, "")
  );
}

for (const width of [80, 140]) {
  // The runtime's name and path are in what is shown: transcripts are those of the one that users run.
  test(`terminal: ${width} columns`, { ...limits, skip: !hasTmux || runtime !== "bun" }, () => {
    using folder = createFolder({ "m.json": config, "bad.yaml": broken });
    for (const [name, args] of scenes) {
      const text = inTmux(args, width, folder.path, false);
      assert.ok(!text.includes(escape));
      for (const line of text.split("\n")) assert.ok(line.length <= width, line);
      if (name !== "list-servers") assertTranscript(`terminal-${name}-${width}`, settle(text, folder.path));
    }
  });
}

test("terminal: colours on a terminal, none with NO_COLOR, none in a pipe", { ...limits, skip: !hasTmux }, () => {
  using folder = createFolder({ "m.json": config, "bad.yaml": broken });
  for (const args of [
    ["probe", "m.json:text", "m.json:gone"],
    ["call", "m.json:gone/x"],
  ]) {
    assert.ok(inTmux(args, 80, folder.path, true).includes(`${escape}[3`), args.join(" "));
    assert.ok(!inTmux(args, 80, folder.path, false).includes(escape));
    const piped = mcpctl(args, folder.path, { FORCE_COLOR: "1" });
    assert.ok(!`${piped.stdout}${piped.stderr}`.includes(escape));
  }
});

test("terminal: the same in a pipe", { ...limits, skip: runtime !== "bun" }, () => {
  using folder = createFolder({ "m.json": config, "bad.yaml": broken });
  for (const [name, args] of scenes) {
    if (name === "list-servers") continue;
    const { stdout, stderr, code } = mcpctl(args, folder.path, { HOME: folder.path, XDG_CACHE_HOME: folder.path });
    const text = `exit ${code}\n--- stdout\n${stdout}--- stderr\n${stderr}`;
    assertTranscript(`pipe-${name}`, settle(text, folder.path));
  }
});

test("terminal: a found config is asked about once, and yes is remembered", { ...limits, skip: !hasTmux }, () => {
  using folder = createFolder({ ".mcp.json": JSON.stringify({ mcpServers: { text: demo("text") } }) });
  const socket = `mcpctl-trust-${process.pid}`;
  const tmux = (...words: readonly string[]): string =>
    spawnSync("tmux", ["-L", socket, "-f", "/dev/null", ...words], { encoding: "utf8" }).stdout;
  const [command, rest] = runtimeCommand("cli/main.ts", "list", "tools", "-o", "name");
  const line = [command, ...rest].map((word) => `'${word}'`).join(" ");
  const env = `env HOME='${folder.path}' XDG_STATE_HOME='${folder.path}/state' XDG_CACHE_HOME='${folder.path}'`;
  const script = `cd '${folder.path}'; ${env} ${line}; echo; echo '${over}'; sleep 60`;
  try {
    tmux("new-session", "-d", "-x", "100", "-y", "30", script);
    tmux("send-keys", "y", "Enter");
    const shown = untilOver(() => tmux("capture-pane", "-p"));
    assert.match(shown, /is used for the first time as it is now\. It would use:\n {2}text: /);
    assert.match(shown, /Use it\? \[y\/N\] ?y/);
    assert.match(shown, /^text\/diff$/m);
  } finally {
    tmux("kill-server");
  }
  const again = mcpctl(["list", "tools", "-o", "name"], folder.path, {
    HOME: folder.path,
    XDG_STATE_HOME: `${folder.path}/state`,
  });
  assert.equal(again.code, 0, again.stderr);
});

test("terminal: the transcripts are all there", () => {
  for (const [name] of scenes.filter(([name]) => name !== "list-servers"))
    for (const file of [`terminal-${name}-80`, `terminal-${name}-140`, `pipe-${name}`])
      assert.ok(existsSync(join(projectRoot, "test/fixtures/transcripts", `${file}.txt`)), file);
  const probe = readFileSync(join(projectRoot, "test/fixtures/transcripts/terminal-probe-80.txt"), "utf8");
  assert.match(probe, /E4102/);
});
