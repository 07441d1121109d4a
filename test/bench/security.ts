// What security costs: the same calls with policy, audit, limits and signed tokens, and with nothing of that, in turns.
import { join } from "node:path";
import { TestAuthority } from "../kit/authority.ts";
import type { Effort, Field } from "./field.ts";
import { atMost, type Finding, mebibytes, round } from "./report.ts";
import { median, medianOf, takeTurns } from "./rounds.ts";

const load = { tool: "small", connections: 32 } as const;
const [off, on] = ["all off", "all on"];
/** Far more than anybody calls: each is counted, and none is refused. */
const plenty = 1_000_000_000;

/** A policy as people have them: some rules that do not fit, and the one that does. */
const policy = {
  default: "deny",
  roles: { ops: { groups: ["ops"] }, readers: { scopes: ["read"] } },
  rules: [
    { effect: "deny", tools: ["delete_*", "drop_*"] },
    { effect: "allow", roles: ["ops"] },
    { effect: "confirm", annotations: { destructiveHint: true }, tools: ["write_*"] },
    { effect: "allow", roles: ["readers"], backends: ["b"], tools: ["small", "large"] },
  ],
};

export async function runSecurity(field: Field, effort: Effort): Promise<Finding> {
  await using authority = await TestAuthority.start();
  const backends = { b: { url: await field.peer.serve() } };
  const audience = "https://gateway.example/mcp";
  const settings = {
    auth: { issuers: [{ issuer: authority.issuer, audiences: [audience] }] },
    policy,
    audit: { file: join(field.stage.folder, "audit.ndjson") },
    limits: { rate: "9999999/s", concurrency: 10_000, quota: plenty },
  };
  const claims = { scope: "read", groups: ["readers"], exp: Math.floor(Date.now() / 1000) + 3600 };
  const token = await authority.token(audience, { claims });
  const plain = await field.startMcpctl("security-off", backends);
  const secured = { ...(await field.startMcpctl("security-on", backends, { settings })), token };
  for (const way of [plain, secured]) await field.awaitReady(way);
  const contestants = [
    { via: off, way: plain },
    { via: on, way: secured },
  ];
  const rounds = await takeTurns(field, contestants, load, effort);
  await Promise.all([plain.stop(), secured.stop()]);
  const ratio = medianOf(rounds, on, off, (own, other) => own.cpuPerRequest / other.cpuPerRequest);
  const rows = [off, on].map((via) => {
    const of = (key: "cpuPerRequest" | "rate" | "p50" | "p99" | "rssBytes"): number =>
      median((rounds.samples.get(via) ?? []).map((sample) => sample[key]));
    const cells = [of("cpuPerRequest"), via === on ? ratio : 1, of("rate"), of("p50"), of("p99")].map(round);
    return [via, ...cells, mebibytes(of("rssBytes"))];
  });
  return {
    tables: [
      {
        title: "tools/call, HTTP, 32 connections, with and without security",
        note: "On: signed tokens (JWT), a policy of four rules, audit, and a rate, concurrency and quota of each principal.",
        head: ["security", "CPU µs/call", "ratio", "calls/s", "p50 µs", "p99 µs", "RSS MiB"],
        rows,
      },
    ],
    limits: [atMost("CPU of a call with policy, audit, limits and JWT, to none of them", ratio, 1.25, " ×")],
    failures: rounds.failures,
  };
}
