// Calls to a child process go straight too, and end as they would have on the long way.
import assert from "node:assert/strict";
import { test } from "node:test";
import { projectRoot, runtimeCommand } from "../kit/process.ts";
import { within } from "./peer.ts";
import type { Wire } from "./wire.ts";
import { Bench, call, theLongWay, wentStraight } from "./straight-kit.ts";

async function startBench(): Promise<Bench> {
  const [command, args] = runtimeCommand(`${projectRoot}/test/kit/raw-server.ts`, "stdio");
  return Bench.start({ replica: { kind: "stdio", command, args, env: {}, cwd: undefined, inheritEnv: true } });
}

const toolCall = (id: string, tool: string, text: string = "é"): string =>
  call(id, `"arguments":{"text":"${text}"}`).replace("b__t", `b__${tool}`);

/** The body of the answer to one call. */
async function ask(bench: Bench, wire: Wire, message: string): Promise<string> {
  wire.text = "";
  bench.post(wire, message);
  await wire.until(/\}$/);
  // The tool says what it got: there the id is the gateway's.
  return wire.text.slice(wire.text.indexOf("{")).replace(/(\\"id\\":)\d+/, "$1");
}

test("straight to a child: the answer is that of the long way, under the client's id", async () => {
  await using bench = await startBench();
  const wire = bench.connect();
  const before = wentStraight();
  const first = await theLongWay(() => ask(bench, wire, toolCall("no 1", "echo")));
  assert.equal(wentStraight(), before);
  for (const id of ["no 2", "no 3"])
    assert.equal(await ask(bench, wire, toolCall(id, "echo")), first.replace("no 1", id));
  assert.equal(wentStraight(), before + 2);
});

test("straight to a child: each client gets the answers to its own calls", async () => {
  await using bench = await startBench();
  const wires = Array.from({ length: 8 }, () => bench.connect());
  for (const round of [1, 2, 3]) {
    const answers = await Promise.all(
      wires.map((wire, index) => ask(bench, wire, toolCall(`no ${index}`, "echo", `${round}/${index}`))),
    );
    for (const [index, answer] of answers.entries()) {
      assert.match(answer, new RegExp(`"id":"no ${index}"`));
      assert.match(answer, new RegExp(`${round}/${index}`));
    }
  }
});

test("straight to a child: a call is taken back, and others go on", async () => {
  await using bench = await startBench();
  const [wire, other] = [bench.connect(), bench.connect()];
  for (const each of [wire, other]) await ask(bench, each, toolCall("no 1", "echo"));
  const before = wentStraight();
  bench.post(wire, toolCall("no 2", "hang"));
  const gone = async (): Promise<void> => {
    while (wentStraight() === before) await new Promise((resolve) => setImmediate(resolve));
  };
  await within(gone(), "the call to leave");
  wire.socket.destroy();
  assert.match(await ask(bench, other, toolCall("no 3", "echo")), /"id":"no 3"/);
});

test("straight to a child: a child that dies fails its calls, and the next ones go to a new one", async () => {
  await using bench = await startBench();
  const wire = bench.connect();
  await ask(bench, wire, toolCall("no 1", "echo"));
  const before = wentStraight();
  assert.match(await ask(bench, wire, toolCall("no 2", "reset")), /"id":"no 2","error":.*exited with code/);
  assert.equal(wentStraight(), before + 1);
  assert.match(await ask(bench, wire, toolCall("no 3", "echo")), /"id":"no 3","result"/);
});
