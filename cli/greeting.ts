// What `serve` says once it listens: the endpoint, which backends came up, and how to add it to common clients.

import process from "node:process";
import { type Arrival, type Gateway, shrink } from "../lib/index.ts";
import { isTerminal } from "../lib/sink.ts";
import type { Log } from "./log.ts";
import { say, sayPainted } from "./output.ts";
import type { Signals } from "./signals.ts";
import { backendTable, noteOf } from "./table.ts";
import { version } from "./version.ts";

/** How long a backend may take to start before the greeting goes on without it. */
const patienceMs = 3_000;

/** Resolves when all is said, or when the gateway is told to stop. */
export async function greet(
  url: string,
  gateway: Gateway,
  isDemo: boolean,
  { stopped }: Signals,
  log: Log,
): Promise<void> {
  const usable = usableUrl(url);
  if (log.isJson) return await greetPrograms(usable, gateway, stopped, log);
  const elsewhere = usable === url ? "" : ", and at the other addresses of this machine";
  say(`mcpctl ${version} serves ${isDemo ? "the demo" : "MCP"} at ${usable}${elsewhere}`);
  const arrivals = await Promise.race([gateway.arrivals(patienceMs), stopped]);
  if (!arrivals) return;
  say("");
  if (isTerminal(2)) sayPainted(await arrivalTable(arrivals));
  else for (const line of arrivalLines(arrivals)) say(line);
  if (isDemo) {
    const { clientLines } = await import("./greeting-clients.ts");
    for (const line of clientLines(usable)) say(line);
  }
  shrink();
}

/** Nobody can open the address that stands for all of them. */
function usableUrl(url: string): string {
  const usable = new URL(url);
  if (usable.hostname === "0.0.0.0") usable.hostname = "127.0.0.1";
  if (usable.hostname === "[::]") usable.hostname = "[::1]";
  return usable.href;
}

/** The same for programs, which read every line. */
async function greetPrograms(url: string, gateway: Gateway, stopped: Promise<unknown>, log: Log): Promise<void> {
  log.log("info", "gateway", `mcpctl ${version} serves MCP at ${url}`, { fields: { url, version } });
  const arrivals = await Promise.race([gateway.arrivals(patienceMs), stopped.then(() => [])]);
  for (const { name, state, tools, ms, error } of arrivals) {
    const fields = { state, ...(tools === undefined ? {} : { tools }), ...(ms === undefined ? {} : { ms }) };
    log.log("info", `backend ${name}`, error === "" ? `is ${state}` : `is ${state}: ${error}`, { fields });
  }
  shrink();
}

async function arrivalTable(arrivals: readonly Arrival[]): Promise<readonly string[]> {
  if (arrivals.length === 0) return [];
  const { table } = await import("./columns.ts");
  const columns = [
    { title: "BACKEND", flexible: true, floor: 20 },
    { title: "STATE", color: (cell: string) => (cell === "up" ? "green" : cell === "connecting" ? "yellow" : "red") },
    { title: "REPLICAS" },
    { title: "TOOLS", align: "right" },
    { title: "TIME", align: "right" },
    { title: "NOTE", flexible: true },
  ] as const;
  const rows = arrivals.map(({ name, state, replicas, tools, ms, error }) => {
    return [name, state, replicas, String(tools ?? ""), ms === undefined ? "" : `${ms} ms`, said(state, name, error)];
  });
  return table(columns, rows, undefined, process.stderr);
}

function said(state: string, name: string, error: string): string {
  return state === "connecting" && error === "" ? "no answer yet" : noteOf(name, error);
}

/** The same for a log: nothing is cut. */
function arrivalLines(arrivals: readonly Arrival[]): readonly string[] {
  return backendTable(
    arrivals.map(({ replicas, tools, ms, error, ...line }) => {
      const parts = [
        ...(replicas === "" ? [] : [`${replicas} replicas`]),
        ...(tools === undefined ? [] : [`${tools} tool${tools === 1 ? "" : "s"}`]),
        ...(ms === undefined ? [] : [`${ms} ms`]),
        said(line.state, line.name, error),
      ];
      return { ...line, error: parts.filter((part) => part !== "").join(", ") };
    }),
  );
}
