// Whoever only holds connections keeps nobody out: the gateway holds as many as it may, and others are served meanwhile.
// MCPCTL_TEST_FULL=1 attempts 100,000.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { after, test } from "node:test";
import { recordOf } from "../e2e/kit.ts";
import { runtimeCommand } from "../kit/process.ts";
import { type House, type KeyClient, startHouse } from "./kit.ts";

const isFull = process.env["MCPCTL_TEST_FULL"] === "1";
const attempts = isFull ? 100_000 : 3_000;
const most = 300;
const batch = 200;
const limits = { timeout: 540_000 };

const state: { house?: Promise<House> } = {};

function start(): Promise<House> {
  const [command, args] = runtimeCommand("test/kit/raw-server.ts", "stdio");
  return startHouse({ raw: { command, args } }, { limits: { connections: most } });
}

const house = (): Promise<House> => (state.house ??= start());

after(async () => await (await state.house)?.[Symbol.asyncDispose]());

/** Connections of one attacker, and how many of them are open. */
class Crowd {
  readonly #port: number;
  readonly #open = new Set<Socket>();
  readonly #all = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  made = 0;

  constructor(port: number) {
    this.#port = port;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Opens some, says something on each, and keeps them. */
  async come(count: number, said: string): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#one(said)));
  }

  #one(said: string): Promise<void> {
    const socket = connect({ port: this.#port, host: "127.0.0.1", allowHalfOpen: true });
    this.made += 1;
    this.#open.add(socket);
    this.#all.add(socket);
    // It reads, so that it hears of the end.
    socket.on("data", () => {});
    socket.on("error", () => {});
    // Those whose other side has closed are kept too, as far as this process can: what they cost is the gateway's to bound.
    for (const event of ["end", "close"])
      socket.on(event, () => {
        this.#open.delete(socket);
        if (event === "close") this.#all.delete(socket);
        else if (this.#all.size > most + batch) socket.destroy();
        for (const check of this.#waiting) check();
      });
    return new Promise((resolve) => {
      socket.once("connect", () => {
        if (said !== "") socket.write(said);
        resolve();
      });
      socket.once("close", () => resolve());
    });
  }

  /** Resolves when no more are open than that. */
  atMost(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.open} are open`)), 60_000);
      const check = (): void => {
        if (this.open > count) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  async leave(): Promise<void> {
    for (const socket of this.#all) socket.destroy();
    await this.atMost(0);
  }
}

/** What the gateway's process has open and uses; undefined where the system does not say it. */
function usage(pid: number): { readonly sockets: number; readonly mebibytes: number } | undefined {
  if (!existsSync(`/proc/${pid}/status`)) return undefined;
  const [, kibibytes = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return { sockets: readdirSync(`/proc/${pid}/fd`).length, mebibytes: Number(kibibytes) / 1024 };
}

async function served(client: KeyClient): Promise<void> {
  const answer = await client.ask("tools/call", { name: "raw__echo", arguments: { text: "served" } });
  assert.match(JSON.stringify(recordOf(answer["result"])), /served/);
}

const head =
  "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
const attacks: Readonly<Record<string, (key: string, session: string) => string>> = {
  "say nothing": () => "",
  "begin a head": () => "POST /mcp HTTP/1.1\r\nHost: local",
  "have asked once": () => "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "begin a body without a key": () => `${head}Content-Length: 1000000\r\n\r\n{`,
  "listen with a key": (key, session) =>
    `GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: ${session}\r\nAuthorization: Bearer ${key}\r\n\r\n`,
  "begin a body with a key": (key) => `${head}Authorization: Bearer ${key}\r\nContent-Length: 1000000\r\n\r\n{`,
};

for (const [what, said] of Object.entries(attacks)) {
  test(`connections: ${what}, and as many more as they like`, limits, async () => {
    const all = await house();
    const { pid } = all.gateway.proc;
    const ada = await all.session("ada");
    await served(ada);
    const before = usage(pid);
    const crowd = new Crowd(Number(new URL(all.gateway.url()).port));
    const eve = await all.session("eve");
    const text = said(eve.key ?? "", eve.sessionId ?? "");
    const total = what === "say nothing" ? attempts : Math.ceil(attempts / 5);
    let peak = 0;
    try {
      while (crowd.made < total) {
        await crowd.come(batch, text);
        await crowd.atMost(most);
        await served(ada);
        peak = Math.max(peak, usage(pid)?.sockets ?? 0);
      }
    } finally {
      await crowd.leave();
    }
    const behind = usage(pid);
    if (before && behind) {
      // Its own, and those that are just being closed.
      assert.ok(peak <= most + 60, `${peak} descriptors`);
      const grown = behind.mebibytes - before.mebibytes;
      if (isFull)
        console.log(`${what}: ${crowd.made} attempts, ${peak} descriptors at most, ${grown.toFixed(1)} MiB more`);
      assert.ok(grown < 150, `grew by ${grown} MiB`);
    }
    await served(ada);
  });
}
