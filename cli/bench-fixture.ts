// `mcpctl bench fixture`: a server to try benchmarks on, over HTTP or stdin and stdout.

import process from "node:process";
import { GatewayError } from "../lib/index.ts";
import {
  createFixture,
  fixtureDefaults,
  type FixtureOptions,
  openJournal,
  serveDemo,
  serveFixture,
} from "../lib/bench.ts";
import { type Command, durationFlag, type Flags, numberFlag, textFlag } from "./command.ts";
import { answer } from "./output.ts";
import { portFlag } from "./overrides.ts";
import { listenForSignals } from "./signals.ts";

const command: Command = {
  meta: { name: "bench fixture", description: "Run a server that counts what it executes" },
  args: {
    port: {
      type: "string",
      alias: "p",
      description: "HTTP at 127.0.0.1 there; stdin and stdout if left out",
      valueHint: "number",
    },
    name: { type: "string", description: "What its answers call it", valueHint: "word" },
    delay: { type: "string", description: "How long a call takes", valueHint: "duration" },
    jitter: { type: "string", description: "How much longer than that, at most", valueHint: "duration" },
    stall: { type: "string", description: "A pause during which no call is answered", valueHint: "duration" },
    "stall-after": {
      type: "string",
      description: "The call that begins the pause; 1 if left out",
      valueHint: "number",
    },
    "fail-every": { type: "string", description: "Every so-manieth call fails", valueHint: "number" },
    "lose-every": { type: "string", description: "… is answered and not executed", valueHint: "number" },
    "duplicate-every": { type: "string", description: "… is executed twice", valueHint: "number" },
    "forget-every": { type: "string", description: "… makes the server forget its sessions", valueHint: "number" },
    journal: { type: "string", description: "Write a line for each call that comes and runs", valueHint: "file" },
  },
  examples: [
    "mcpctl bench fixture --port 9001 --delay 5ms",
    "mcpctl bench -r 300/s -- mcpctl bench fixture --stall 1s --stall-after 500",
  ],
  run: serve,
};

export default command;

async function serve(flags: Flags): Promise<number> {
  const port = portFlag(flags);
  const name = textFlag(flags, "name") ?? fixtureDefaults.name;
  if (!/^[\w.-]{1,40}$/.test(name)) throw new GatewayError("usage", "--name must be one short word");
  const file = textFlag(flags, "journal");
  using journal = file === undefined ? undefined : openJournal(file, name);
  const stallMs = durationFlag(flags, "stall") ?? 0;
  const options: FixtureOptions = {
    name,
    delayMs: durationFlag(flags, "delay") ?? 0,
    jitterMs: durationFlag(flags, "jitter") ?? 0,
    stallMs,
    stallAfter: numberFlag(flags, "stall-after") ?? (stallMs > 0 ? 1 : 0),
    failEvery: numberFlag(flags, "fail-every") ?? 0,
    loseEvery: numberFlag(flags, "lose-every") ?? 0,
    duplicateEvery: numberFlag(flags, "duplicate-every") ?? 0,
    forgetEvery: numberFlag(flags, "forget-every") ?? 0,
    journal,
  };
  if (port === undefined) {
    await serveDemo(() => createFixture(options, { forget: () => {} }), process.stdin, process.stdout);
    return 0;
  }
  using signals = listenForSignals();
  await using fixture = await serveFixture(port, (host) => createFixture(options, host));
  await answer(`listening ${fixture.url}`);
  await signals.stopped;
  return 0;
}
