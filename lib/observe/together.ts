// Metrics of several processes as if they were of one: what adds up is added, and the rest says which process it is of.

import { openType, plainType, wantsOpenMetrics } from "./exposition.ts";

/** Gauges of which the processes have a part each. Any other one is of one process alone. */
const shared: ReadonlySet<string> = new Set([
  "mcpctl_in_flight_requests",
  "mcpctl_listeners",
  "mcpctl_parked_calls",
  "mcpctl_backend_in_flight_calls",
  "mcpctl_backend_queued_calls",
  "mcpctl_replica_in_flight_calls",
  "mcpctl_links",
  "mcpctl_retry_budget",
  "mcpctl_cache_bytes",
]);
/** What each process counts, and all of them count the same. */
const own: ReadonlySet<string> = new Set(["process_cpu_seconds", "mcpctl_config_reloads"]);

interface Series {
  value: number;
  /** As it is written, or nothing. */
  exemplar: string;
}

interface Family {
  readonly type: string;
  readonly help: string;
  readonly series: Map<string, Series>;
}

type Families = Map<string, Family>;

/** What a process wrote as OpenMetrics. */
export interface Part {
  readonly process: string;
  readonly text: string;
  /** It has not answered this time: what it has counted counts, and how it was does not. */
  readonly isOld: boolean;
}

/** Keeps what ended processes have counted: a sum never gets smaller. */
export class Together {
  /** Sums of those that have ended. */
  readonly #ended: Families = new Map();

  /** What a process wrote last before it ended. */
  retire(text: string): void {
    add(this.#ended, { process: "", text, isOld: true });
  }

  /** All of them, in the format that the header asks for. */
  write(parts: readonly Part[], accept: string): { readonly text: string; readonly contentType: string } {
    const all: Families = new Map();
    for (const part of parts) add(all, part);
    if (all.size > 0) this.#addEnded(all);
    const isOpen = wantsOpenMetrics(accept);
    const lines = [...all].flatMap(([name, family]) => linesOf(name, family, isOpen));
    return { text: `${lines.join("\n")}\n${isOpen ? "# EOF\n" : ""}`, contentType: isOpen ? openType : plainType };
  }

  /** What was counted of backends that nobody has any more is forgotten. */
  #addEnded(all: Families): void {
    const backends = new Set([...all.values()].flatMap(({ series }) => [...series.keys()].map(backendOf)));
    for (const [name, { type, help, series }] of this.#ended) {
      const family = familyOf(all, name, type, help);
      for (const [key, { value }] of series) {
        if (backends.has(backendOf(key))) count(family, key, value, "");
        else series.delete(key);
      }
    }
  }
}

const headLine = /^# (HELP|TYPE) (\S+) (.*)$/;
const sampleLine = /^([^\s{]+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?) (\S+)( # .*)?$/;
const backendLabel = /[{,](backend="(?:[^"\\]|\\.)*")/;

function add(all: Families, { process, text, isOld }: Part): void {
  let family: Family | undefined;
  let isSummed = false;
  let help = "";
  for (const line of text.split("\n")) {
    const [, what, name = "", rest = ""] = headLine.exec(line) ?? [];
    if (what === "HELP") help = rest;
    if (what === "TYPE") {
      isSummed = rest === "gauge" ? shared.has(name) : !own.has(name);
      family = isOld && (rest === "gauge" || !isSummed) ? undefined : familyOf(all, name, rest, help);
    }
    if (what !== undefined || !family) continue;
    const [, key = "", value = "", exemplar = ""] = sampleLine.exec(line) ?? [];
    if (key === "") continue;
    count(family, isSummed ? key : labelled(key, process), Number(value.replace("Inf", "Infinity")), exemplar);
  }
}

function familyOf(all: Families, name: string, type: string, help: string): Family {
  const known = all.get(name);
  if (known) return known;
  const family: Family = { type, help, series: new Map() };
  all.set(name, family);
  return family;
}

function count({ series }: Family, key: string, value: number, exemplar: string): void {
  const known = series.get(key);
  if (!known) return void series.set(key, { value, exemplar });
  known.value += value;
  if (timeOf(exemplar) > timeOf(known.exemplar)) known.exemplar = exemplar;
}

function timeOf(exemplar: string): number {
  return Number(exemplar.slice(exemplar.lastIndexOf(" ") + 1));
}

function labelled(key: string, process: string): string {
  const label = `worker="${process}"`;
  return key.endsWith("}") ? `${key.slice(0, -1)},${label}}` : `${key}{${label}}`;
}

function backendOf(key: string): string {
  return backendLabel.exec(key)?.[1] ?? "";
}

function linesOf(name: string, { type, help, series }: Family, isOpen: boolean): string[] {
  if (series.size === 0) return [];
  // The family of a counter goes without the suffix of its samples in OpenMetrics alone.
  const head = type === "counter" && !isOpen ? `${name}_total` : name;
  const samples = [...series].map(
    ([key, { value, exemplar }]) => `${key} ${valueText(value)}${isOpen ? exemplar : ""}`,
  );
  return [`# HELP ${head} ${help}`, `# TYPE ${head} ${type}`, ...samples];
}

function valueText(value: number): string {
  return Number.isFinite(value) ? String(value) : String(value).replace("Infinity", "Inf").replace(/^Inf/, "+Inf");
}
