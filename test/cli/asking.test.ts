// What a server asks during `call` is answered in a terminal, and refused where there is none.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { runtimeCommand } from "../kit/process.ts";
import { createFolder, type Folder, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };
const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

function createConfig(): Folder {
  const [command, args] = runtimeCommand("test/kit/fixture-server.ts", "stdio");
  return createFolder({ "m.json": JSON.stringify({ mcpServers: { it: { command, args } } }) });
}

/** A terminal with one command, which is looked at and typed into. */
class Terminal implements Disposable {
  readonly #socket = `mcpctl-asking-${randomUUID()}`;

  constructor(cwd: string, ...args: readonly string[]) {
    const [command, rest] = runtimeCommand("cli/main.ts", "call", ...args);
    const line = [command, ...rest].map((word) => `'${word}'`).join(" ");
    // A shell of its own, that goes on where Ctrl-C ends the command.
    const script = `cd '${cwd}'; trap : INT; ${line}; echo "exit=$?"; sleep 60`;
    this.#tmux("new-session", "-d", "-x", "120", "-y", "50", script);
  }

  /** Waits for a text; gives all that is shown. */
  shows(pattern: RegExp): string {
    const until = Date.now() + 30_000;
    for (;;) {
      const shown = this.#tmux("capture-pane", "-p", "-J");
      if (pattern.test(shown)) return shown;
      assert.ok(Date.now() < until, `${String(pattern)} does not show:\n${shown}`);
    }
  }

  /** Types a line behind a question. */
  answer(question: RegExp, text: string): void {
    this.shows(question);
    if (text !== "") this.#tmux("send-keys", "-l", text);
    this.#tmux("send-keys", "Enter");
  }

  press(key: string): void {
    this.#tmux("send-keys", key);
  }

  #tmux(...words: readonly string[]): string {
    return spawnSync("tmux", ["-L", this.#socket, "-f", "/dev/null", ...words], { encoding: "utf8" }).stdout;
  }

  [Symbol.dispose](): void {
    this.#tmux("kill-server");
  }
}

test(
  "asking: a form is filled in, with defaults, and wrong values are asked again",
  { ...limits, skip: !hasTmux },
  () => {
    using folder = createConfig();
    using terminal = new Terminal(folder.path, "m.json:it/test_elicitation_sep1034_defaults");
    terminal.answer(/name \(string\) \["John Doe"\]: *$/m, "Ada");
    terminal.answer(/age \(integer\) \[30\]: *$/m, "old");
    terminal.answer(/age must be of type integer\n.*: *$/m, "36");
    terminal.answer(/score \(number\).*: *$/m, "");
    terminal.answer(/status \(active, inactive, pending\).*: *$/m, "pending");
    terminal.answer(/verified \(boolean\).*: *$/m, "n");
    const shown = terminal.shows(/exit=0/).replaceAll(/\n {4}/g, " ");
    assert.match(
      shown,
      /action=accept, content=\{"name":"Ada","age":36,"score":95\.5,"status":"pending","verified":false\}/,
    );
  },
);

test("asking: a form is declined, left, and a page is opened", { ...limits, skip: !hasTmux }, () => {
  using folder = createConfig();
  using declined = new Terminal(folder.path, "m.json:it/ask-elicitation", "--no-validate", "message=Who?");
  assert.match(declined.shows(/name\* \(string\): *$/m), /^it asks: Who\?$/m);
  declined.answer(/name\*/, "!");
  assert.match(declined.shows(/exit=0/), /^\{"action":"decline"\}$/m);
  using left = new Terminal(folder.path, "m.json:it/ask-elicitation");
  left.shows(/name\* \(string\): *$/m);
  left.press("C-d");
  assert.match(left.shows(/exit=0/), /\{"action":"cancel"\}$/m);
  using page = new Terminal(folder.path, "m.json:it/ask-elicitation-url");
  page.answer(/open https:\/\/example\.com\/sign-in\n +Done\? \[y\/N\] *$/m, "y");
  assert.match(page.shows(/exit=0/), /^\{"action":"accept"\}$/m);
});

test("asking: somebody answers for the model, or refuses", { ...limits, skip: !hasTmux }, () => {
  using folder = createConfig();
  const args = ["m.json:it/ask-sampling", "--no-validate", "prompt=Capital?"];
  using answered = new Terminal(folder.path, ...args);
  answered.answer(/^ {2}user: Capital\?\n +Your answer .*: *$/m, "Paris");
  assert.match(answered.shows(/exit=0/), /"content":\{"type":"text","text":"Paris"\},"model":"human"/);
  using refused = new Terminal(folder.path, ...args);
  refused.answer(/Your answer .*: *$/m, "");
  assert.match(refused.shows(/exit=\d/), /User rejected sampling request/);
});

test("asking: Ctrl-C at a question ends the command", { ...limits, skip: !hasTmux }, () => {
  using folder = createConfig();
  using terminal = new Terminal(folder.path, "m.json:it/ask-elicitation");
  terminal.shows(/name\* \(string\): *$/m);
  terminal.press("C-c");
  terminal.shows(/exit=130/);
});

test("asking: nobody is asked without a terminal, and --no-input says no", { ...limits, skip: !hasTmux }, () => {
  using folder = createConfig();
  const { code, stdout } = mcpctl(["call", "m.json:it/ask-elicitation"], folder.path);
  assert.equal(code, 0);
  assert.match(stdout, /"code":-32601/);
  using terminal = new Terminal(folder.path, "m.json:it/ask-elicitation", "--no-input");
  const shown = terminal.shows(/exit=0/);
  assert.match(shown, /^\{"action":"decline"\}$/m);
  assert.ok(!shown.includes("it asks:"));
  const sampled = mcpctl(["call", "m.json:it/ask-sampling", "--no-validate", "prompt=x", "--no-input"], folder.path);
  assert.match(sampled.stdout, /"code":-1,"message":"User rejected sampling request"/, sampled.stderr);
});
