// What a config file may say of replicas, repetition, limits and times of a backend.

import * as z from "zod";
import { backendDefaults } from "./plan.ts";
import { breakerDefaults, cacheDefaults, hedgeDefaults, outlierDefaults, resilienceDefaults } from "./resilience.ts";
import { balancePattern, codeRange, globPattern, maxAttempts, maxCount, maxWeight, pathPattern } from "./rules.ts";
import { duration, filled, flag, integer, share, size, strict, text } from "./schema-values.ts";

type Shape = Readonly<Record<string, z.ZodType>>;

const count = (fallback: number | undefined, about: string, min = 1): z.ZodType =>
  integer(min, maxCount)
    .optional()
    .meta(fallback === undefined ? {} : { fallback })
    .describe(about);
const glob = text.regex(globPattern, { error: "expected the name of a tool, with * for any part" });
const globs = z.array(glob);
const { retry } = resilienceDefaults;

export const replicaShape: Shape = {
  weight: integer(1, maxWeight)
    .optional()
    .meta({ fallback: 1 })
    .describe("How much of the traffic it gets beside the others."),
  zone: filled.optional().describe("Where it runs."),
};

const toolTimes = {
  call: duration(backendDefaults.callMs, 1).describe("For one call in total."),
  first: duration(0, 0).describe("Until the first sign of a call: its answer, or progress; 0s is no limit."),
  idle: duration(0, 0).describe("Between two signs of a call; 0s is no limit."),
};

export const timeoutShape: Shape = {
  connect: duration(backendDefaults.connectMs, 1).describe("For start and handshake together."),
  handshake: duration(backendDefaults.connectMs, 1).describe(
    "The same, where a handshake may take longer than a connection.",
  ),
  ...toolTimes,
  health: duration(backendDefaults.healthMs, 0).describe("Between two pings; 0s switches them off."),
  listing: duration(backendDefaults.ttlMs, 0).describe(
    "How long a listing counts as fresh where the server neither says so nor tells of changes.",
  ),
  ping: duration(resilienceDefaults.pingMs, 1).describe("For a ping; after that other replicas take the calls."),
  down: duration(resilienceDefaults.downMs, 1).describe("Between two looks at a replica that is down."),
  tools: z.record(glob, strict(toolTimes)).optional().describe("call, first and idle for some tools, by glob."),
};

export const resilienceShape: Shape = {
  balance: text
    .regex(balancePattern, {
      error:
        "expected least-pending, round-robin, random-two, priority, or hash(principal), hash(session), hash(header:NAME), hash(argument:NAME)",
    })
    .optional()
    .meta({ fallback: resilienceDefaults.balance.kind })
    .describe("How calls are spread over replicas."),
  healthPath: text
    .regex(pathPattern, { error: 'expected a path like "/healthz"' })
    .optional()
    .describe(
      "A path that each replica at a url answers with 2xx while it wants calls: asked every timeouts.health, and every timeouts.down while it does not.",
    ),
  retry: strict({
    attempts: integer(1, maxAttempts)
      .optional()
      .meta({ fallback: retry.attempts })
      .describe("How often one call is sent at most; 1 repeats nothing."),
    budget: share(retry.share).describe("Repetitions as a share of the calls."),
    wait: duration(retry.waitMs, 0).describe("A call waits for a backend that went away no longer ago than this."),
    tools: globs.optional().describe("Tools that may be repeated whatever they say of themselves, by glob."),
  })
    .optional()
    .describe("What is repeated."),
  breaker: strict({
    failures: count(breakerDefaults.failures, "Failures in a row after which a replica gets no calls for a while."),
    rate: share(breakerDefaults.rate).describe("The same, as a share of the calls in the window."),
    minCalls: count(breakerDefaults.minCalls, "Calls in the window below which the share says nothing."),
    window: duration(breakerDefaults.windowMs, 1).describe("Time over which failures are counted."),
    open: duration(breakerDefaults.openMs, 1).describe("The first while; it doubles each time."),
    maxOpen: duration(breakerDefaults.maxOpenMs, 1).describe("The longest while."),
    trials: count(breakerDefaults.trials, "Calls that are let through at the same time to try it."),
    codes: z
      .array(integer(...codeRange))
      .optional()
      .describe("Codes of error replies that count as failures."),
    perTool: flag.optional().meta({ fallback: false }).describe("Also one breaker for each tool."),
    disabled: flag.optional().meta({ fallback: false }).describe("No breaker."),
  })
    .optional()
    .describe("When a replica that fails is left alone."),
  concurrency: strict({
    inFlight: count(undefined, "Calls in flight at the same time; unlimited unless it is said."),
    queued: count(undefined, "Calls that wait for one of these to end; as many as inFlight.", 0),
    inFlightEach: count(undefined, "Calls in flight of one principal; as many as inFlight."),
    queuedEach: count(undefined, "Calls of one principal that wait; as many as queued.", 0),
  })
    .optional()
    .describe("How many calls the backend gets at the same time."),
  hedge: strict({
    after: share(hedgeDefaults.quantile).describe("Quantile of the latency after which a second replica is asked."),
    min: duration(hedgeDefaults.minMs, 0).describe("Never sooner."),
    share: share(hedgeDefaults.share).describe("Share of the calls for which that may happen."),
  })
    .optional()
    .describe("Ask a second replica where the first is slow, if the call may run twice; off unless it is said."),
  outliers: strict({
    errorRate: share(outlierDefaults.errorRate).describe("A replica of which this share of calls fails is left out."),
    slowness: integer(2, maxWeight)
      .optional()
      .meta({ fallback: outlierDefaults.slowness })
      .describe("So is one that is so many times slower than the others."),
    min: duration(outlierDefaults.minMs, 0).describe("Faster than this is never slow."),
    minCalls: count(outlierDefaults.minCalls, "Calls before a replica is judged."),
    eject: duration(outlierDefaults.ejectMs, 1).describe("How long the first time; longer each time."),
    share: share(outlierDefaults.maxShare).describe("Share of the replicas that may be left out at the same time."),
    ramp: duration(outlierDefaults.rampMs, 0).describe("Time in which one that is back gets its full share again."),
    disabled: flag.optional().meta({ fallback: false }).describe("Leave no replica out."),
  })
    .optional()
    .describe("When a replica that does worse than the others is left out."),
  cache: strict({
    size: size(cacheDefaults.bytes).describe("Of all answers that are kept."),
    stale: duration(cacheDefaults.staleMs, 0).describe("How long an answer may stand in for one that cannot be had."),
  })
    .optional()
    .describe("Keep answers of resources/read for as long as the server says; off unless it is said."),
};
