// The stream of a session at two processes at the same time: all agree on who has it, in whatever order they hear of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { callText } from "../e2e/kit.ts";
import { Engine, freePort, lacksEngine } from "../kit/engine.ts";
import { Member } from "../kit/fleet.ts";
import { startHttpServer } from "../kit/process.ts";
import { RawClient, type RawStream } from "../kit/raw-client.ts";

const limits = { timeout: 120_000, skip: lacksEngine };

/** The way of one process to the engine, on which what it says can be held up. */
class Gate implements AsyncDisposable {
  readonly #server = createServer((near) => this.#carry(near));
  readonly #engine: Engine;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];
  #holds = false;
  #heard = Promise.withResolvers<void>();

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  static async open(engine: Engine): Promise<Gate> {
    const gate = new Gate(engine);
    await once(gate.#server.listen(0, "127.0.0.1"), "listening");
    return gate;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `redis://127.0.0.1:${port}`;
  }

  /** Resolves when the process hears the next thing of others. */
  heard(): Promise<void> {
    this.#heard = Promise.withResolvers();
    return this.#heard.promise;
  }

  hold(): void {
    this.#holds = true;
  }

  release(): void {
    this.#holds = false;
    for (const send of this.#held.splice(0)) send();
  }

  #carry(near: Socket): void {
    const far = connect(this.#engine.port, "127.0.0.1");
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    }
    near.on("data", (bytes) => {
      if (this.#holds) this.#held.push(() => far.write(bytes));
      else far.write(bytes);
    });
    far.on("data", (bytes) => {
      near.write(bytes);
      // What is published comes as an array, or a push, that says so.
      if (bytes.includes("\r\nmessage\r\n")) this.#heard.resolve();
    });
    near.on("end", () => far.end());
    far.on("end", () => near.end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Resolves when a stream tells that the tools have changed. */
async function told(stream: RawStream): Promise<void> {
  for (let event = await stream.next(); event; event = await stream.next())
    if (event.data.includes("notifications/tools/list_changed")) return;
  throw new Error("the stream has ended");
}

async function sessionAt(url: string): Promise<readonly [RawClient, RawStream]> {
  const client = new RawClient(url);
  await client.initialize("2025-11-25");
  return [client, await client.get()];
}

test("claims: a change is told although two processes took the stream at once", limits, async () => {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "claims-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const engine = stack.use(await Engine.start());
  const server = stack.use(await startHttpServer());
  const gates = [stack.use(await Gate.open(engine)), stack.use(await Gate.open(engine))] as const;
  const members: Member[] = [];
  for (const [at, gate] of gates.entries()) {
    const file = join(folder, `${at}.json`);
    const cluster = { url: gate.url };
    const sealKeys = ["the key of both of them"];
    writeFileSync(file, JSON.stringify({ cluster, sealKeys, backends: { b: { url: server.url } } }));
    const member = new Member(await freePort(), file, []);
    await member.start();
    stack.defer(() => member.stop());
    members.push(member);
  }
  // Each has its link, and nothing more to tell of its start.
  for (const { url } of members) {
    const [client, stream] = await sessionAt(url);
    await callText(client, "b__grow", { name: url.replace(/\W/g, "_") });
    await told(stream);
    await stream.close();
  }

  const [one, two] = members.map(({ url }) => new RawClient(url));
  assert.ok(one && two);
  await one.initialize("2025-11-25");
  two.sessionId = one.sessionId;
  two.protocolVersion = one.protocolVersion;
  await two.request("ping");

  gates[0].hold();
  const atOne = gates[0].heard();
  await using first = await one.get();
  await using second = await two.get();
  await atOne;
  const atTwo = gates[1].heard();
  gates[0].release();
  await atTwo;

  await callText(two, "b__grow", { name: "g" });
  await Promise.any([told(first), told(second)]);
});
