// Strict parsing: what a command does not have is an error that says what to write.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArgsDef } from "citty";
import { hasFlag, listFlag, parseFlags, textFlag } from "../../cli/command.ts";
import { GatewayError } from "../../lib/index.ts";

const args: ArgsDef = {
  target: { type: "positional", required: false },
  config: { type: "string", alias: "c", valueHint: "file" },
  port: { type: "string", alias: "p", valueHint: "number" },
  demo: { type: "boolean" },
};

function complaint(...argv: string[]): string {
  try {
    parseFlags(args, argv);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "usage");
    return error.message;
  }
  return "none";
}

test("command: flags in all their spellings", () => {
  for (const argv of [["--port", "80"], ["--port=80"], ["-p", "80"], ["-p80"]]) {
    assert.equal(textFlag(parseFlags(args, argv), "port"), "80", argv.join(" "));
  }
  const flags = parseFlags(args, ["-c", "a", "x", "--demo", "--config=b=c"]);
  assert.deepEqual(listFlag(flags, "config"), ["a", "b=c"]);
  assert.deepEqual(flags.positionals, ["x"]);
  assert.deepEqual([hasFlag(flags, "demo"), hasFlag(flags, "port")], [true, false]);
  assert.equal(textFlag(parseFlags(args, ["-c", "-"]), "config"), "-");
  assert.equal(textFlag(parseFlags(args, ["--config=--odd"]), "config"), "--odd");
});

test("command: behind -- everything is an argument", () => {
  assert.deepEqual(parseFlags(args, ["--demo", "--", "--port"]).positionals, ["--port"]);
  assert.equal(complaint("--", "--port", "--demo"), 'unexpected argument "--demo"');
});

test("command: an unknown flag is refused, with what was meant", () => {
  assert.equal(complaint("--prot", "80"), "unknown flag --prot; did you mean --port?");
  assert.equal(complaint("--hlep"), "unknown flag --hlep; did you mean --help?");
  assert.equal(complaint("--no-demo"), "unknown flag --no-demo; did you mean --demo?");
  assert.equal(complaint("--wholly-other=1"), "unknown flag --wholly-other");
  assert.equal(complaint("-x"), "unknown flag -x");
  assert.equal(complaint("--constructor"), "unknown flag --constructor");
  assert.equal(complaint("--__proto__=1"), "unknown flag --__proto__");
});

test("command: a flag has its value, and once", () => {
  assert.equal(complaint("--port"), "--port needs a value: --port <number>");
  assert.equal(complaint("--port="), "--port needs a value: --port <number>");
  assert.match(complaint("--config", "--demo"), /^--config needs a value, and --demo looks like a flag/);
  assert.equal(complaint("--demo=yes"), "--demo takes no value");
  assert.equal(complaint("-p", "1", "--port", "2"), "--port is given twice");
  assert.equal(complaint("--demo", "--demo"), "--demo is given twice");
  assert.equal(complaint("-c", "a", "-c", "b"), "none");
});

test("command: arguments are counted", () => {
  assert.equal(complaint("one", "two"), 'unexpected argument "two"');
  const required: ArgsDef = { name: { type: "positional", required: true } };
  assert.throws(() => parseFlags(required, []), /the argument <NAME> is missing/);
});
