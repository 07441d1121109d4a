// `mcpctl list --check`: the faults of the pages of every server.

import {
  type Checked,
  checkPages,
  declares,
  describeFailure,
  Evidence,
  openPeer,
  type Target,
} from "../lib/toolbox.ts";
import { document, show } from "./answer.ts";
import { concludeAll, type ListRequest, serverBodies } from "./listing.ts";
import { version } from "./version.ts";

interface Outcome {
  readonly target: Target;
  readonly protocolVersion: string;
  readonly checked: readonly Checked[];
  readonly failure: ReturnType<typeof describeFailure> | undefined;
}

export async function checkListings(request: ListRequest): Promise<number> {
  const checks = await Promise.all(request.targets.map((target) => check(request, target)));
  const outcomes = checks.map((each) => ({ ...each, missing: [] }));
  const findings = outcomes.flatMap(({ target, checked }) =>
    checked.flatMap(({ findings }) => findings.map((finding) => ({ server: target.name, ...finding }))),
  );
  const listings = outcomes.flatMap(({ target, checked }) =>
    checked.map(({ kind, pages, items, findings }) => ({
      server: target.name,
      type: kind,
      pages,
      count: items,
      faults: findings.map(({ fault, detail }) => ({ fault, detail })),
    })),
  );
  if (listings.length > 0) {
    await show(request.format, {
      kind: "ListingCheck",
      body: { servers: serverBodies(outcomes), ok: findings.length === 0, listings },
      lines: listings.map((listing) => document("ListingCheck", listing)),
      names: [...new Set(findings.map(({ server }) => server))],
      text: () => textOf(outcomes),
    });
  }
  const exit = concludeAll(outcomes, request);
  return exit === 0 && findings.length > 0 ? 1 : exit;
}

async function check({ kinds, bound, maxItems, maxPages }: ListRequest, target: Target): Promise<Outcome> {
  const evidence = new Evidence();
  const checked: Checked[] = [];
  let protocolVersion = "";
  try {
    await using peer = await openPeer({ target, version, evidence }, bound);
    ({ protocolVersion } = peer.facts);
    for (const kind of kinds) {
      if (kinds.length > 1 && !declares(peer, kind)) continue;
      checked.push(await checkPages(peer, kind, { maxItems, maxPages }, bound));
    }
    return { target, protocolVersion, checked, failure: undefined };
  } catch (error) {
    return { target, protocolVersion, checked, failure: describeFailure(error, target, evidence) };
  }
}

async function textOf(outcomes: readonly Outcome[]): Promise<readonly string[]> {
  const { table } = await import("./columns.ts");
  const rows = outcomes.flatMap(({ target, checked }) =>
    checked.flatMap(({ kind, pages, items, findings }) => {
      const lead = [target.name, kind, String(pages), String(items)];
      if (findings.length === 0) return [[...lead, "ok", ""]];
      return findings.map(({ fault, detail }) => [...lead, fault, detail]);
    }),
  );
  return table(
    [
      { title: "SERVER", flexible: true },
      { title: "TYPE" },
      { title: "PAGES", align: "right" },
      { title: "ITEMS", align: "right" },
      { title: "RESULT", color: (cell) => (cell === "ok" ? "green" : "red") },
      { title: "DETAIL", flexible: true },
    ],
    rows,
  );
}
