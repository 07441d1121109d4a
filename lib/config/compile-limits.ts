// What a config says of how much is accepted, as a plan.

import { type BackendLimits, limitDefaults, type Limits, type RatePlan } from "./limits.ts";
import type { BackendLimitConfig, LimitConfig } from "./rules-limits.ts";
import { parseRate } from "./units.ts";

/** `hasAuth`: clients are told apart, so that one of them need not leave room for itself alone. */
export function compileLimits(config: LimitConfig = {}, hasAuth: boolean = false): Limits {
  const { body, header, nesting, message, rate, concurrency, quota, ...counts } = config;
  const connections = counts.connections ?? limitDefaults.connections;
  return {
    bodyBytes: body ?? limitDefaults.bodyBytes,
    headerBytes: header ?? limitDefaults.headerBytes,
    maxDepth: nesting ?? limitDefaults.maxDepth,
    messageBytes: message ?? limitDefaults.messageBytes,
    pages: counts.pages ?? limitDefaults.pages,
    items: counts.items ?? limitDefaults.items,
    sessions: counts.sessions ?? limitDefaults.sessions,
    streams: counts.streams ?? (hasAuth ? Math.max(1, Math.floor(connections / 3)) : limitDefaults.streams),
    parked: counts.parked ?? limitDefaults.parked,
    connections,
    ...compileRate(rate),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(quota === undefined ? {} : { quota }),
  };
}

/** Undefined where the config says nothing of it. */
export function compileBackendLimits(config: BackendLimitConfig | undefined): BackendLimits | undefined {
  if (!config) return undefined;
  const { rate, quota, tools = {} } = config;
  return {
    ...compileRate(rate),
    ...(quota === undefined ? {} : { quota }),
    tools: Object.entries(tools).map(([glob, tool]) => ({
      tools: glob,
      ...compileRate(tool.rate),
      ...(tool.concurrency === undefined ? {} : { concurrency: tool.concurrency }),
      ...(tool.cost === undefined ? {} : { cost: tool.cost }),
    })),
  };
}

function compileRate(written: string | undefined): { readonly rate?: RatePlan } {
  const rate = written === undefined ? undefined : parseRate(written);
  return rate ? { rate } : {};
}
