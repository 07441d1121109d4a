// What a gateway goes through while a crowd uses it, in any size: configs that change, workers that are exchanged, processes
// that are killed; and what the crowd lost by it.
import { type BackendConfig, Gateway, rawStdio, until } from "../e2e/kit.ts";
import { HttpReplica, Load, type Outcome, Records } from "../chaos/kit.ts";
import { Fleet } from "../kit/fleet.ts";
import { isAlive, startHttpServer } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { Crowd } from "./crowd.ts";
import { childrenOf, nodesAt } from "./kit.ts";

export interface Size {
  readonly sessions: number;
  readonly subscriptions: number;
  readonly callsPerSecond: number;
}

export interface Ordeal {
  readonly calls: number;
  /** Streams that were opened, the first ones included. */
  readonly opened: number;
  /** What was lost, or not told. */
  readonly failures: readonly string[];
  readonly seconds: number;
}

const workers = 2;

async function startWorkers(backends: Readonly<Record<string, BackendConfig>>): Promise<Gateway> {
  const gateway = await Gateway.start({ backends }, "--workers", String(workers));
  await until(async () => (await nodesAt(gateway.url())).processes === workers, "all workers are there");
  return gateway;
}

async function ended(crowd: Crowd, since: number): Promise<Ordeal> {
  await crowd.check();
  await crowd[Symbol.asyncDispose]();
  const { calls, opened, failures } = crowd;
  return { calls, opened, failures, seconds: (performance.now() - since) / 1000 };
}

/** All workers are exchanged, so many times. */
export async function exchangeWorkers(size: Size, rounds: number): Promise<Ordeal> {
  await using server = await startHttpServer();
  await using gateway = await startWorkers({ b: { url: server.url } });
  await using crowd = await Crowd.gather({ url: gateway.url(), ...size });
  const since = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const before = childrenOf(gateway.proc.pid);
    gateway.proc.kill("SIGUSR2");
    await crowd.touch();
    await until(() => before.every((pid) => !isAlive(pid)), "all are new", 120_000);
    await crowd.touch();
  }
  return await ended(crowd, since);
}

/** The config changes, so many times: another backend comes, changes and goes, and the one that is used changes too. */
export async function reloadConfigs(size: Size, rounds: number): Promise<Ordeal & { readonly logged: number }> {
  await using server = await startHttpServer();
  const b = { url: server.url };
  const turns: readonly Readonly<Record<string, BackendConfig>>[] = [
    { b, c: rawStdio("--tools", "one") },
    { b, c: rawStdio("--tools", "two") },
    { b: { ...b, timeouts: { call: "59s" } }, c: rawStdio("--tools", "two") },
    { b },
  ];
  await using gateway = await startWorkers({ b });
  await using crowd = await Crowd.gather({ url: gateway.url(), ...size });
  const since = performance.now();
  const lines = (pattern: RegExp): number => [...gateway.proc.stderr.matchAll(pattern)].length;
  for (let round = 0; round < rounds; round += 1) {
    const backends = turns[round % turns.length] ?? {};
    gateway.replace({ backends });
    await until(() => lines(/config applied/g) === (round + 1) * workers, "all workers have it", 60_000);
    await crowd.touch();
  }
  return { ...(await ended(crowd, since)), logged: lines(/topology: /g) };
}

export interface Kills extends Ordeal {
  readonly outcomes: readonly Outcome[];
  readonly executions: ReadonlyMap<string, number>;
}

/** Each of three processes behind nginx is killed and started again, so many times; nobody but nginx sends anything again. */
export async function killMembers(size: Size, rounds: number): Promise<Kills> {
  using records = new Records();
  await using server = await startHttpServer();
  await using counted = await HttpReplica.start(records.file("r"));
  await using fleet = await Fleet.start({ backends: { b: { url: server.url }, n: { url: counted.url } } });
  await using crowd = await Crowd.gather({ url: fleet.url, ...size, attempts: 1 });
  const clients = [new RawClient(fleet.url), new RawClient(fleet.url)];
  for (const client of clients) await client.initialize();
  const since = performance.now();
  const load = new Load(clients, ["n__read", "n__add", "n__put"], size.callsPerSecond, { delayMs: 20 });
  for (let round = 0; round < rounds; round += 1) {
    const member = fleet.member(round);
    await load.sends(20);
    await member.kill();
    await load.sends(40);
    await crowd.check();
    await crowd.touch();
    await member.start();
    await crowd.touch();
  }
  const outcomes = await load.stop();
  return { ...(await ended(crowd, since)), outcomes, executions: records.executions("r") };
}
