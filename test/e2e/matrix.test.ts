// Every feature of the protocol, for clients of three revisions, at backends of both eras, over both links and both fronts.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { childOf, legacyFixture, modernFixture } from "../kit/conformance-gateway.ts";
import { startHttpServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { fleetSize } from "../kit/fleet.ts";
import { readmeRows } from "../kit/readme.ts";
import { createStdioFront } from "../kit/servers.ts";
import type { StdioFront } from "../kit/servers.ts";
import { type BackendConfig, Gateway } from "./kit.ts";
import { features } from "./matrix-features.ts";
import type { Cell } from "./matrix-features.ts";
import { connectPeer, revisions } from "./matrix-peers.ts";
import type { Peer, Revision } from "./matrix-peers.ts";

const fronts = ["HTTP", "stdio"] as const;
type Front = (typeof fronts)[number];

const eras = ["legacy", "modern"] as const;
/** Where there are several processes, each would have children of its own, with a state of their own. */
const links = fleetSize > 1 ? (["http"] as const) : (["stdio", "http"] as const);

/** The first one shows its URIs as they are; what a URI of several backends means is settled by their order. */
const backends = eras.flatMap((era) => links.map((link) => ({ era, link, name: `${era}-${link}` })));

const revisionOf = { legacy: "2025-11-25", modern: "2026-07-28" };

interface Peers {
  readonly servers: readonly HttpServerProcess[];
  readonly gateway: Gateway;
  readonly stdioFront: StdioFront;
}

const limits = { timeout: 120_000 };
const state: { peers?: Promise<Peers> } = {};

/** How many of the four ways, by row and column, have worked. */
const worked = new Map<string, number>();

async function startPeers(): Promise<Peers> {
  const servers = await Promise.all([legacyFixture, modernFixture].map(({ script }) => startHttpServer(script)));
  const [legacy, modern] = servers.map(({ url }) => ({ url }));
  const all: Readonly<Record<string, BackendConfig>> = {
    "legacy-stdio": childOf(legacyFixture),
    "legacy-http": { ...legacy },
    "modern-stdio": childOf(modernFixture),
    "modern-http": { ...modern },
  };
  const shown = backends.map(({ name }) => [name, all[name] ?? {}] as const);
  const config = { timeouts: { list: "20s" }, backends: Object.fromEntries(shown) };
  const gateway = await Gateway.start(config);
  for (const { name, era } of backends)
    await gateway.says(new RegExp(`backend ${name}: is up \\(${revisionOf[era]}\\)`));
  return { servers, gateway, stdioFront: createStdioFront(config) };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { servers, gateway, stdioFront } = await peers();
  await gateway[Symbol.asyncDispose]();
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  stdioFront[Symbol.dispose]();
});

async function connect(revision: Revision, front: Front): Promise<Peer> {
  const { gateway, stdioFront } = await peers();
  return connectPeer(revision, front === "HTTP" ? { url: gateway.url() } : stdioFront.target);
}

const columnOf = (revision: Revision, era: string): string => `${revision} ${era}`;

const columns = revisions.flatMap((revision) => eras.map((era) => ({ revision, era })));

/** Tries every feature; gives what does not work. */
async function fill(cell: Cell): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const [name, feature] of Object.entries(features)) {
    const key = `${name} ${columnOf(cell.peer.revision, cell.backendEra)}`;
    try {
      await feature.try(cell);
      worked.set(key, (worked.get(key) ?? 0) + 1);
    } catch (error) {
      failures.push(`${name} at ${cell.backend}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  return failures;
}

for (const front of fronts) {
  for (const revision of revisions) {
    test(`matrix: everything works for a client of ${revision}, over ${front}`, limits, async () => {
      await using peer = await connect(revision, front);
      const failures: string[] = [];
      // One after the other: what a client is told of one backend is not to pass for that of another.
      for (const { name: backend, era: backendEra } of backends) {
        const uri = (local: string): string =>
          backend === backends[0]?.name ? local : `mcpctl://${backend}/${encodeURIComponent(local)}`;
        failures.push(...(await fill({ peer, backend, backendEra, uri })));
      }
      assert.equal(failures.join("\n\n"), "");
    });
  }
}

test("matrix: the README shows this table", limits, () => {
  const ways = fronts.length * links.length;
  const rows = Object.entries(features).map(([name, { absent }]) => [
    name,
    ...columns.map(({ revision, era }) => {
      const count = worked.get(`${name} ${columnOf(revision, era)}`) ?? 0;
      return count === ways ? (absent?.[revision] ?? "yes") : `${count} of ${ways} ways`;
    }),
  ]);
  const head = ["", ...columns.map(({ revision, era }) => `${revision}, ${era} backend`)];
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
  console.log(table);
  assert.deepEqual(readmeRows("matrix"), rows, "the README shows another table");
});
