// What the supervisor keeps for its workers: no client can make it grow without end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memory } from "../../lib/cluster/memory.ts";

const minuteMs = 60_000;

test("memory: of more tasks than it keeps the oldest are forgotten, and nothing else is", () => {
  using memory = new Memory();
  memory.write("session:one", { is: "1" }, minuteMs);
  const most = 100_000;
  for (let at = 0; at <= most; at += 1) memory.write(`task:${at}`, { is: "1" }, minuteMs);
  const held = ["task:0", "task:1", `task:${most}`, "session:one"].map((key) => memory.read(key)["is"]);
  assert.deepEqual(held, [undefined, "1", "1", "1"]);
});

test("memory: a task that is written once more is not the oldest", () => {
  using memory = new Memory(2);
  for (const key of ["task:a", "task:b", "task:a", "task:c"]) memory.write(key, { is: "1" }, minuteMs);
  assert.deepEqual(
    ["task:a", "task:b", "task:c"].map((key) => memory.read(key)["is"]),
    ["1", undefined, "1"],
  );
  memory.erase("task:c", ["is"]);
  assert.deepEqual(memory.read("task:c"), {});
});
