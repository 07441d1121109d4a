// `serve --chaos`: each fault does what it is called, to the calls that are meant, at the share that is asked, the same each time.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { recordOf } from "../e2e/kit.ts";
import { mcpctl } from "../cli/kit.ts";
import { callOnce, childReplica, HttpReplica, Records, startGateway } from "./kit.ts";

/** Of a call that may not run twice. */
interface Expected {
  readonly outcome: "answered" | "unknown" | "notSent";
  readonly runs: number;
}

const through: Expected = { outcome: "answered", runs: 1 };
const lost: Expected = { outcome: "unknown", runs: 1 };
/** It is made again, and bent again. */
const refused: Expected = { outcome: "notSent", runs: 0 };
const unread: Expected = { outcome: "unknown", runs: 0 };

const expected: Readonly<Record<string, Expected>> = {
  latency: through,
  late: through,
  duplicate: through,
  resetBefore: unread,
  resetAfter: lost,
  halfClose: lost,
  throttle: refused,
  unavailable: refused,
  sessionLoss: refused,
  garbage: lost,
  wrongId: lost,
  hang: lost,
  kill: unread,
  stop: through,
};

for (const transport of ["http", "stdio"] as const) {
  test(`faults: each does what it is called over ${transport}`, async () => {
    using records = new Records();
    const record = records.file("r");
    await using server = await HttpReplica.start(record);
    const cases = Object.entries(expected);
    const file = join(records.folder, "chaos.yaml");
    const rules = cases.map(
      ([fault]) => `  - { fault: ${fault}, backend: "${fault.toLowerCase()}", share: 100%, delay: 100ms }`,
    );
    writeFileSync(file, `seed: 7\nfaults:\n${rules.join("\n")}\n`);
    const replica = transport === "http" ? { url: server.url } : childReplica(record);
    const backend = { ...replica, timeouts: { first: "500ms" }, retry: { attempts: 2 }, breaker: { disabled: true } };
    await using gateway = await startGateway(
      Object.fromEntries(cases.map(([fault]) => [fault.toLowerCase(), backend])),
      "--chaos",
      file,
    );
    const client = await gateway.client();
    for (const [fault, { outcome, runs }] of cases) {
      const { text, data, nonce, message } = await callOnce(client, `${fault.toLowerCase()}__add`);
      const ran = records.executions("r").get(nonce) ?? 0;
      const found = [text === undefined ? data["class"] : "answered", ran];
      assert.deepEqual(found, [outcome, runs], `${fault}: ${JSON.stringify({ text, data, message })}`);
    }
    assert.match(gateway.proc.stderr, /CHAOS is on: \d+ rules of .* make calls fail on purpose/);
    const health = recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
    const { rules: count, injected } = recordOf(health["chaos"]);
    assert.equal(count, cases.length);
    assert.ok(Number(injected) >= cases.length);
  });
}

test("faults: a share of the calls of a tool, the same ones for the same seed, and no others", async () => {
  using records = new Records();
  await using server = await HttpReplica.start(records.file("r"));
  const file = join(records.folder, "chaos.json");
  writeFileSync(file, JSON.stringify({ seed: 11, faults: [{ fault: "resetBefore", tool: "a*", share: "20%" }] }));
  const run = async (): Promise<readonly boolean[]> => {
    await using gateway = await startGateway({ b: { url: server.url, breaker: { disabled: true } } }, "--chaos", file);
    const client = await gateway.client();
    const outcomes: boolean[] = [];
    for (let call = 0; call < 100; call += 1) {
      outcomes.push((await callOnce(client, "b__add")).text !== undefined);
      assert.notEqual((await callOnce(client, "b__put")).text, undefined);
    }
    return outcomes;
  };
  const first = await run();
  const failed = first.filter((each) => !each).length;
  assert.ok(failed >= 10 && failed <= 32, `${failed}`);
  assert.deepEqual(await run(), first);
});

test("faults: a file that is wrong is refused with what is wrong in it", () => {
  using records = new Records();
  const file = join(records.folder, "chaos.yaml");
  const cases: readonly (readonly [text: string, why: RegExp])[] = [
    ["faults: 1", /expected a map with a list "faults"/],
    ["faults: []\nseeds: 1", /unknown key "seeds"/],
    ["faults: [{ fault: reset, share: 5% }]", /faults\[0\] needs a fault, one of latency/],
    ["faults: [{ fault: hang }]", /faults\[0\] needs a share/],
    ["faults: [{ fault: hang, share: 101% }]", /needs a share/],
    ["faults: [{ fault: hang, share: 5%, delay: 1 }]", /no duration/],
    ["faults: [{ fault: hang, share: 5%, tools: x }]", /unknown key "tools"/],
  ];
  for (const [text, why] of cases) {
    writeFileSync(file, text);
    const { code, stderr } = mcpctl(["serve", "--demo", "--port", "0", "--chaos", file]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, why);
  }
  assert.equal(mcpctl(["serve", "--demo", "--port", "0", "--chaos", `${file}.missing`]).code, 3);
});
