// What people see of a running gateway: its messages and its drain, in a real terminal of 80 and of 140 columns.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { until } from "../e2e/kit.ts";
import { connectClient } from "../kit/client.ts";
import { runtime, runtimeCommand, startScript } from "../kit/process.ts";
import { createFolder } from "./kit.ts";
import { assertTranscript, mask } from "./transcript.ts";

const hasTmux = spawnSync("tmux", ["-V"]).status === 0;
const over = "(end of the scene)";
const patienceMs = 60_000;

interface Terminal extends Disposable {
  readonly text: () => string;
}

function open(args: readonly string[], width: number): Terminal {
  const socket = `mcpctl-scene-${randomUUID()}`;
  const tmux = (...words: readonly string[]): string =>
    spawnSync("tmux", ["-L", socket, "-f", "/dev/null", ...words], { encoding: "utf8" }).stdout;
  const [command, rest] = runtimeCommand("cli/main.ts", ...args);
  const line = [command, ...rest].map((word) => `'${word}'`).join(" ");
  // The pane stays, so that it can be looked at.
  tmux("new-session", "-d", "-x", String(width), "-y", "30", `NO_COLOR=1 ${line}; echo '${over}'; sleep 120`);
  return { text: () => tmux("capture-pane", "-p"), [Symbol.dispose]: () => void tmux("kill-server") };
}

/** Clocks, and where a line that is too long is cut: that hangs on how many digits a time has. */
function settle(text: string): string {
  return mask(text.slice(0, text.indexOf(over)).trimEnd())
    .replaceAll(/^\d\d:\d\d:\d\d\.\d{3}/gm, "HH:MM:SS.mmm")
    .replaceAll(/^(.{12} . tools\/call \S+ #\d+(?: T \w+)? .{12}).*…$/gm, "$1…");
}

for (const width of [80, 140]) {
  // Transcripts are those of the runtime that users run.
  const options = { timeout: 240_000, skip: !hasTmux || runtime !== "bun" };
  test(`terminal: a gateway's messages and its drain, ${width} columns`, options, async () => {
    const [command, args] = runtimeCommand("cli/main.ts", "demo", "text");
    using folder = createFolder({ "m.json": JSON.stringify({ backends: { text: { command, args } } }) });
    await using proc = startScript("cli/main.ts", ["serve", "-c", "m.json", "--port", "0"], { cwd: folder.path });
    const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr", patienceMs);
    await proc.line(/up +text/, "stderr", patienceMs);
    await using legacy = await connectClient({ url });
    {
      using tail = open(["tail", url, "--method", "tools/call", "--count", "6"], width);
      await until(() => tail.text().includes("listening; Ctrl-C stops"), "tail listens", patienceMs);
      await legacy.call("text__word_count", { text: "two words" });
      await legacy.call("text__word_count", { text: "many words, one after another, ".repeat(8), password: "hunter2" });
      await assert.rejects(legacy.call("text__no_such"));
      await until(() => tail.text().includes(over), "tail ends", patienceMs);
      const shown = tail.text();
      assert.ok(!shown.includes("hunter2"));
      for (const line of shown.split("\n")) assert.ok(line.length <= width, line);
      assertTranscript(`terminal-tail-${width}`, `${settle(shown)}\n`);
    }
    using drain = open(["drain", url], width);
    await until(() => drain.text().includes(over), "drain ends", patienceMs);
    assertTranscript(`terminal-drain-${width}`, `${settle(drain.text())}\n`);
  });
}
