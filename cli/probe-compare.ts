// `mcpctl probe --compare`: two servers side by side.

import { median, phaseNames, type ProbeReport } from "../lib/toolbox.ts";
import { document, show } from "./answer.ts";
import { probeBody } from "./probe-document.ts";
import { nameOf } from "./probe-table.ts";
import { probeAll, type ProbeRequest } from "./probing.ts";

/** Exits with 0 where both are healthy. */
export async function compareServers(request: ProbeRequest): Promise<number> {
  const probed = await probeAll(request);
  const [a, b] = probed.map(({ report }) => report);
  const { format } = request;
  if (!a || !b) return 1;
  const bodies = probed.map((each) => probeBody(each, request.isDeep));
  await show(format === "nagios" || format === "prometheus" ? "table" : format, {
    kind: "ProbeReport",
    body: { ok: a.state === "healthy" && b.state === "healthy", servers: bodies },
    lines: bodies.map((body) => document("Probe", body)),
    names: [a, b].filter(({ state }) => state === "healthy").map(nameOf),
    text: () => textOf(a, b),
  });
  return a.state === "healthy" && b.state === "healthy" ? 0 : 1;
}

async function textOf(a: ProbeReport, b: ProbeReport): Promise<readonly string[]> {
  const { table } = await import("./columns.ts");
  const time = (report: ProbeReport, name: string): number | undefined =>
    name === "ping" ? median(report.pings) : report.phases.find((phase) => phase.name === name)?.ms;
  const rows = phaseNames.flatMap((name) => {
    const [left, right] = [time(a, name), time(b, name)];
    if (left === undefined && right === undefined) return [];
    const ratio = left !== undefined && right !== undefined && left > 0 ? `${(right / left).toFixed(2)} ×` : "";
    return [[name, show1(left), show1(right), ratio]];
  });
  const items = (["tools", "resources", "templates", "prompts"] as const).flatMap((kind) => {
    const [left, right] = [a.lists[kind]?.items, b.lists[kind]?.items];
    return left === undefined && right === undefined
      ? []
      : [[`number of ${kind}`, String(left ?? "–"), String(right ?? "–"), ""]];
  });
  return table(
    [
      { title: "" },
      { title: nameOf(a), align: "right", flexible: true },
      { title: nameOf(b), align: "right", flexible: true },
      { title: "RATIO", align: "right" },
    ],
    [
      ["state", a.state, b.state, ""],
      ["protocol", a.protocolVersion || "–", b.protocolVersion || "–", ""],
      ...rows,
      ["in all", show1(a.ms), show1(b.ms), `${(b.ms / a.ms).toFixed(2)} ×`],
      ...items,
    ],
  );
}

function show1(ms: number | undefined): string {
  return ms === undefined ? "–" : `${ms.toFixed(1)} ms`;
}
