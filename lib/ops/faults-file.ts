// Reads what `serve --chaos` is to do: YAML or JSON, with a seed and rules.

import { readFile } from "node:fs/promises";
import { parseDuration, parseShare } from "../config/units.ts";
import { GatewayError } from "../core/errors.ts";
import { isRecord } from "../core/text.ts";
import type { Observer } from "../core/observer.ts";
import { type FaultKind, faultKinds, type FaultRule } from "./fault-wire.ts";
import { type FaultPlan, Faults } from "./faults.ts";

const ruleKeys: ReadonlySet<string> = new Set(["fault", "backend", "tool", "share", "delay"]);
const defaultDelayMs = 1_000;

/** The faults that a file asks for. Rejects with `configNotFound` or `configInvalid`. */
export async function createFaults(file: string, observer: Observer): Promise<Faults> {
  return new Faults(await readFaults(file), observer);
}

async function readFaults(file: string): Promise<FaultPlan> {
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(await readFile(file, "utf8"));
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError(isMissing ? "configNotFound" : "configInvalid", `${file}: ${why}`, { cause: error });
  }
  const wrong = (what: string): GatewayError => new GatewayError("configInvalid", `${file}: ${what}`);
  if (!isRecord(value) || !Array.isArray(value["faults"])) throw wrong('expected a map with a list "faults"');
  const { seed = 1, faults, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw wrong(`unknown key "${unknown}"`);
  if (typeof seed !== "number" || !Number.isInteger(seed)) throw wrong("seed must be a whole number");
  return { seed, rules: faults.map((rule: unknown, at) => readRule(rule, (what) => wrong(`faults[${at}] ${what}`))) };
}

function readRule(value: unknown, wrong: (what: string) => GatewayError): FaultRule {
  if (!isRecord(value)) throw wrong("must be a map");
  const unknown = Object.keys(value).find((key) => !ruleKeys.has(key));
  if (unknown !== undefined) throw wrong(`has an unknown key "${unknown}"`);
  const { fault, backend = "*", tool = "*", share, delay } = value;
  const kind: FaultKind | undefined = faultKinds.find((each) => each === fault);
  if (!kind) throw wrong(`needs a fault, one of ${faultKinds.join(", ")}`);
  if (typeof backend !== "string" || typeof tool !== "string")
    throw wrong("backend and tool are texts, with * for any part");
  const part = typeof share === "string" ? parseShare(share) : undefined;
  if (part === undefined || part > 1) throw wrong('needs a share like "5%"');
  const delayMs = delay === undefined ? defaultDelayMs : typeof delay === "string" ? parseDuration(delay) : undefined;
  if (delayMs === undefined) throw wrong('has a delay that is no duration like "200ms"');
  return { fault: kind, backend, tool, share: part, delayMs };
}
