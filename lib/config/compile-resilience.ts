// What a config says of replicas, repetition and limits, with the defaults filled in.

import {
  type BalancePlan,
  breakerDefaults,
  type BreakerPlan,
  cacheDefaults,
  type ConcurrencyPlan,
  hedgeDefaults,
  outlierDefaults,
  type OutlierPlan,
  type ResiliencePlan,
  resilienceDefaults,
} from "./resilience.ts";
import type { BackendConfig, BreakerConfig, ConcurrencyConfig, OutlierConfig } from "./rules.ts";

/** Undefined where the config says nothing about it. */
export function compileResilience(backend: BackendConfig): ResiliencePlan | undefined {
  const { balance, retry, breaker, concurrency, hedge, outliers, cache, healthPath, timeouts = {} } = backend;
  const { first, idle, ping, down, tools } = timeouts;
  const said = [
    balance,
    retry,
    breaker,
    concurrency,
    hedge,
    outliers,
    cache,
    healthPath,
    first,
    idle,
    ping,
    down,
    tools,
  ];
  if (said.every((each) => each === undefined)) return undefined;
  const defaults = resilienceDefaults;
  return {
    balance: balance === undefined ? defaults.balance : compileBalance(balance),
    retry: {
      attempts: retry?.attempts ?? defaults.retry.attempts,
      share: retry?.budget ?? defaults.retry.share,
      waitMs: retry?.wait ?? defaults.retry.waitMs,
      tools: retry?.tools ?? defaults.retry.tools,
    },
    breaker: breaker === undefined ? defaults.breaker : compileBreaker(breaker),
    concurrency: concurrency && compileConcurrency(concurrency),
    hedge: hedge && {
      quantile: hedge.after ?? hedgeDefaults.quantile,
      minMs: hedge.min ?? hedgeDefaults.minMs,
      share: hedge.share ?? hedgeDefaults.share,
    },
    outliers: outliers === undefined ? defaults.outliers : compileOutliers(outliers),
    cache: cache && { bytes: cache.size ?? cacheDefaults.bytes, staleMs: cache.stale ?? cacheDefaults.staleMs },
    healthPath,
    firstMs: first ?? defaults.firstMs,
    idleMs: idle ?? defaults.idleMs,
    pingMs: ping ?? defaults.pingMs,
    downMs: down ?? defaults.downMs,
    tools: Object.entries(tools ?? {}).map(([glob, times]) => ({
      tools: glob,
      ...(times.call === undefined ? {} : { callMs: times.call }),
      ...(times.first === undefined ? {} : { firstMs: times.first }),
      ...(times.idle === undefined ? {} : { idleMs: times.idle }),
    })),
  };
}

/** A text that the balance pattern matches. */
function compileBalance(written: string): BalancePlan {
  const [, inner] = /^hash\((.*)\)$/.exec(written) ?? [];
  if (inner === "principal" || inner === "session") return { kind: "hash", source: { kind: inner } };
  if (inner !== undefined) {
    const [kind = "", name = ""] = inner.split(":");
    if (kind === "header") return { kind: "hash", source: { kind, name: name.toLowerCase() } };
    return { kind: "hash", source: { kind: "argument", name } };
  }
  const plain = (["round-robin", "random-two", "priority"] as const).find((kind) => kind === written);
  return { kind: plain ?? "least-pending" };
}

function compileBreaker(breaker: BreakerConfig): BreakerPlan | undefined {
  if (breaker.disabled === true) return undefined;
  const openMs = breaker.open ?? breakerDefaults.openMs;
  return {
    failures: breaker.failures ?? breakerDefaults.failures,
    rate: breaker.rate ?? breakerDefaults.rate,
    minCalls: breaker.minCalls ?? breakerDefaults.minCalls,
    windowMs: breaker.window ?? breakerDefaults.windowMs,
    openMs,
    maxOpenMs: Math.max(openMs, breaker.maxOpen ?? breakerDefaults.maxOpenMs),
    trials: breaker.trials ?? breakerDefaults.trials,
    codes: breaker.codes ?? breakerDefaults.codes,
    perTool: breaker.perTool ?? breakerDefaults.perTool,
  };
}

function compileConcurrency(concurrency: ConcurrencyConfig): ConcurrencyPlan {
  const inFlight = concurrency.inFlight ?? Infinity;
  const inFlightEach = concurrency.inFlightEach ?? inFlight;
  const queued = concurrency.queued ?? (inFlight === Infinity ? inFlightEach : inFlight);
  return { inFlight, inFlightEach, queued, queuedEach: concurrency.queuedEach ?? queued };
}

function compileOutliers(outliers: OutlierConfig): OutlierPlan | undefined {
  if (outliers.disabled === true) return undefined;
  const ejectMs = outliers.eject ?? outlierDefaults.ejectMs;
  return {
    errorRate: outliers.errorRate ?? outlierDefaults.errorRate,
    slowness: outliers.slowness ?? outlierDefaults.slowness,
    minMs: outliers.min ?? outlierDefaults.minMs,
    minCalls: outliers.minCalls ?? outlierDefaults.minCalls,
    ejectMs,
    maxEjectMs: Math.max(ejectMs, outlierDefaults.maxEjectMs),
    maxShare: outliers.share ?? outlierDefaults.maxShare,
    rampMs: outliers.ramp ?? outlierDefaults.rampMs,
  };
}
