// How a backend is to be kept usable: what its plan says of replicas, repetition and limits, and the defaults.

/** What a hash is taken of. */
export type HashPlan =
  | { readonly kind: "principal" }
  | { readonly kind: "session" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "argument"; readonly name: string };

export type BalancePlan =
  | { readonly kind: "least-pending" | "round-robin" | "random-two" | "priority" }
  | { readonly kind: "hash"; readonly source: HashPlan };

export interface RetryPlan {
  /** How often one call is sent at most. */
  readonly attempts: number;
  /** Repetitions as a share of the calls. */
  readonly share: number;
  /** A call waits for a backend that went away no longer ago than this. */
  readonly waitMs: number;
  /** Globs of tools that may be repeated whatever they say of themselves. */
  readonly tools: readonly string[];
}

export interface BreakerPlan {
  readonly failures: number;
  readonly rate: number;
  readonly minCalls: number;
  readonly windowMs: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly trials: number;
  /** Codes of error replies that count as failures of the backend. */
  readonly codes: readonly number[];
  /** Also one for each tool. */
  readonly perTool: boolean;
}

export interface ConcurrencyPlan {
  readonly inFlight: number;
  readonly queued: number;
  readonly inFlightEach: number;
  readonly queuedEach: number;
}

export interface HedgePlan {
  readonly quantile: number;
  readonly minMs: number;
  readonly share: number;
}

export interface OutlierPlan {
  readonly errorRate: number;
  readonly slowness: number;
  readonly minMs: number;
  readonly minCalls: number;
  readonly ejectMs: number;
  readonly maxEjectMs: number;
  readonly maxShare: number;
  readonly rampMs: number;
}

/** Milliseconds of one call: in total, until the first sign of life, and between two; 0 = no limit. */
export interface CallTimes {
  readonly callMs: number;
  readonly firstMs: number;
  readonly idleMs: number;
}

export interface ToolTimes extends Partial<CallTimes> {
  /** Glob of tools. */
  readonly tools: string;
}

export interface CachePlan {
  readonly bytes: number;
  /** How long an answer may stand in for one that cannot be had. */
  readonly staleMs: number;
}

export interface ResiliencePlan {
  readonly balance: BalancePlan;
  readonly retry: RetryPlan;
  /** Undefined = none. */
  readonly breaker: BreakerPlan | undefined;
  readonly concurrency: ConcurrencyPlan | undefined;
  readonly hedge: HedgePlan | undefined;
  readonly outliers: OutlierPlan | undefined;
  readonly cache: CachePlan | undefined;
  /** Where each replica over HTTP says whether it wants calls. */
  readonly healthPath: string | undefined;
  readonly firstMs: number;
  readonly idleMs: number;
  /** How long a ping may take. */
  readonly pingMs: number;
  /** Between two looks at a replica that is down. */
  readonly downMs: number;
  /** The first one that fits counts. */
  readonly tools: readonly ToolTimes[];
}

export const breakerDefaults: BreakerPlan = Object.freeze({
  failures: 5,
  rate: 0.5,
  minCalls: 20,
  windowMs: 10_000,
  openMs: 1_000,
  maxOpenMs: 30_000,
  trials: 1,
  codes: Object.freeze([]),
  perTool: false,
});

export const hedgeDefaults: HedgePlan = Object.freeze({ quantile: 0.95, minMs: 10, share: 0.05 });

export const outlierDefaults: OutlierPlan = Object.freeze({
  errorRate: 0.5,
  slowness: 5,
  minMs: 100,
  minCalls: 20,
  ejectMs: 10_000,
  maxEjectMs: 300_000,
  maxShare: 0.5,
  rampMs: 0,
});

export const cacheDefaults: CachePlan = Object.freeze({ bytes: 16 * 2 ** 20, staleMs: 0 });

export const resilienceDefaults: ResiliencePlan = Object.freeze({
  balance: Object.freeze({ kind: "least-pending" }),
  retry: Object.freeze({ attempts: 3, share: 0.2, waitMs: 5_000, tools: Object.freeze([]) }),
  breaker: breakerDefaults,
  concurrency: undefined,
  hedge: undefined,
  outliers: outlierDefaults,
  cache: undefined,
  healthPath: undefined,
  firstMs: 0,
  idleMs: 0,
  pingMs: 10_000,
  downMs: 1_000,
  tools: Object.freeze([]),
});
