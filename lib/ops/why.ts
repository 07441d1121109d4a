// Asks a running gateway what became of a call, and says it in words.

import { GatewayError } from "../core/errors.ts";
import type { FlightNote, FlightReport } from "../core/flight.ts";
import { isRecord } from "../core/text.ts";
import { getJson, gatewayUrl } from "./health.ts";

/** The last calls of the gateway at `address`, those with `id` if there is one, the latest first. */
export async function askWhy(
  id: string | undefined,
  address: string | undefined,
  timeoutMs: number,
  token?: string,
): Promise<readonly FlightReport[]> {
  const url = gatewayUrl(address, id === undefined ? "/why" : `/why/${encodeURIComponent(id)}`);
  const { status, document } = await getJson(url, timeoutMs, token);
  const calls = document?.["calls"];
  if (status !== 200 || !Array.isArray(calls))
    throw new GatewayError("badProtocol", `${url} answers HTTP ${status} and no record of a gateway`);
  return calls.flatMap((call: unknown) => readReport(call) ?? []);
}

/** What became of a call, line by line. */
export function describeFlight(report: FlightReport): readonly string[] {
  const { ids, at, method, name, view, backend, outcome, tookMs, notes } = report;
  const endpoint = view === "" ? "/mcp" : `/mcp/${view}`;
  const where = backend === "" ? "no backend" : `backend "${backend}"`;
  const quiet = outcome === "in flight" ? "waiting for its answer" : "sent once and answered";
  return [
    `${method} ${name}, id ${ids.join(", then ")}, at ${at}`,
    `  ${outcome} after ${tookMs} ms; came to ${endpoint}, went to ${where}`,
    ...(notes.length === 0 ? [`  ${quiet}; nothing had to be decided`] : []),
    ...notes.map(({ ms, text }) => `  ${`+${ms} ms`.padStart(10)}  ${text}`),
  ];
}

function readReport(value: unknown): FlightReport | undefined {
  if (!isRecord(value)) return undefined;
  const text = (key: string): string => (typeof value[key] === "string" ? value[key] : "");
  const { ids, tookMs, notes } = value;
  const outcome = text("outcome");
  return {
    ids: Array.isArray(ids) ? ids.map(String) : [],
    at: text("at"),
    method: text("method"),
    name: text("name"),
    view: text("view"),
    backend: text("backend"),
    outcome: outcome === "answered" || outcome === "failed" ? outcome : "in flight",
    tookMs: typeof tookMs === "number" ? tookMs : 0,
    notes: Array.isArray(notes) ? notes.flatMap((note: unknown) => readNote(note) ?? []) : [],
  };
}

function readNote(value: unknown): FlightNote | undefined {
  if (!isRecord(value)) return undefined;
  const { ms, text } = value;
  return typeof ms === "number" && typeof text === "string" ? { ms, text } : undefined;
}
