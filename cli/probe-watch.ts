// `mcpctl probe --watch`: the same table again and again on a terminal, one document a server and round in a pipe.

import process from "node:process";
import { GatewayError, parseDuration } from "../lib/index.ts";
import { sleep } from "../lib/toolbox.ts";
import { document, toJson } from "./answer.ts";
import { print } from "./output.ts";
import { probeBody, type Probed } from "./probe-document.ts";
import { interruptedExit } from "./patience.ts";
import { probeAll, type ProbeRequest } from "./probing.ts";

const defaultMs = 2_000;

/** Ends after `rounds`, or with Ctrl-C; the exit code tells how the last round was. */
export async function watchServers(request: ProbeRequest, written: string, rounds: number = Infinity): Promise<number> {
  const pauseMs = written === "" ? defaultMs : (parseDuration(written) ?? 0);
  if (pauseMs <= 0)
    throw new GatewayError("usage", `--watch must be a duration like 2s, not ${JSON.stringify(written)}`);
  const isTable = process.stdout.isTTY && (request.format === "table" || request.format === "wide");
  let healthy = true;
  for (let round = 1; round <= rounds && !request.bound.interrupted; round += 1) {
    const probed = await probeAll(request);
    if (request.bound.interrupted) break;
    healthy = probed.every(({ report }) => report.state === "healthy");
    if (isTable) await drawTable(request, probed);
    else if (!(await print(probed.map(lineOf).join("")))) break;
    if (round < rounds) await sleep(pauseMs, request.bound.scope).catch(() => {});
  }
  return request.bound.interrupted ? interruptedExit(request.bound) : healthy ? 0 : 1;
}

function lineOf(probed: Probed): string {
  return `${toJson(document("Probe", { time: new Date().toISOString(), ...probeBody(probed, false) }))}\n`;
}

async function drawTable(request: ProbeRequest, probed: readonly Probed[]): Promise<void> {
  const { probeTable } = await import("./probe-table.ts");
  const reports = probed.map(({ report }) => report);
  const lines = [new Date().toTimeString().slice(0, 8), ...probeTable(reports, request.format === "wide")];
  const height = process.stdout.rows || 24;
  await print(`\u001b[H\u001b[2J${lines.slice(0, height - 1).join("\n")}\n`);
}
