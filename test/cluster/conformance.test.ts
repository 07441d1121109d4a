// The official conformance suite of both eras through three processes behind nginx: what passes at a server directly passes
// there, with servers of both eras, over both links.
import { after, test } from "node:test";
import { modernVersion, type Run, runSuite, specVersions } from "../kit/conformance.ts";
import { childOf, type Link, legacyFixture, links, modernFixture, once } from "../kit/conformance-gateway.ts";
import { assertExcused } from "../kit/conformance-report.ts";
import { lacksFleet } from "../kit/engine.ts";
import { Fleet } from "../kit/fleet.ts";
import { startHttpServer } from "../kit/process.ts";

const eras = ["legacy", "modern"] as const;
type Era = (typeof eras)[number];

const limits = { timeout: 240_000, skip: lacksFleet };
const fixtures = { legacy: legacyFixture, modern: modernFixture };
const versionsOf = { legacy: specVersions, modern: [modernVersion] } as const;

/**
 * A scenario looks whether a listing is the same twice, and another one has had a tool come or go before. Each process has a
 * child of its own, so the tool is at one of them: servers on stdio that keep state belong behind HTTP.
 */
const ofChildren: ReadonlySet<string> = new Set(["tools-list/tools-list-deterministic-order#1"]);

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());

/** One fleet with all servers; each has an endpoint of its own. */
const peers = once(async () => {
  const [legacy, modern] = await Promise.all(
    eras.map(async (era) => stack.use(await startHttpServer(fixtures[era].script, fixtures[era].flags))),
  );
  const backends = {
    "legacy-http": { url: legacy?.url },
    "modern-http": { url: modern?.url },
    "legacy-stdio": childOf(legacyFixture),
    "modern-stdio": childOf(modernFixture),
  };
  const fleet = stack.use(await Fleet.start({ naming: "none", priority: Object.keys(backends), backends }));
  return { direct: { legacy: legacy?.url ?? "", modern: modern?.url ?? "" }, url: fleet.url };
});

/** The suites of clients of an era, one after the other. */
async function runAll(era: Era, url: string): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const version of versionsOf[era]) runs.push(await runSuite(url, version));
  return runs;
}

/** What passes directly, of the suites of clients of an era. */
const directly = {
  legacy: once(async () => await runAll("legacy", (await peers()).direct.legacy)),
  modern: once(async () => await runAll("modern", (await peers()).direct.modern)),
};

async function check(client: Era, server: Era, link: Link): Promise<void> {
  const before = await directly[client]();
  const after = await runAll(client, `${(await peers()).url}/${server}-${link}`);
  const pairs = before.map((run, at): [Run, Run] => [run, after[at] ?? { scenarios: 0, checks: new Map() }]);
  await assertExcused(client, `${server} ${link}`, pairs, link === "stdio" ? ofChildren : new Set());
}

for (const client of eras)
  test(
    `cluster: the suite loses nothing through three processes, for clients of the ${client} era`,
    limits,
    async () => {
      // The servers over stdio have nothing to do with those over HTTP.
      await Promise.all(
        links.map(async (link) => {
          for (const server of eras) await check(client, server, link);
        }),
      );
    },
  );
