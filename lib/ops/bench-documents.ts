// The documents of `mcpctl bench`, as JSON Schemas.

import * as z from "zod";

const summary = z
  .object({
    count: z.int(),
    min: z.number(),
    mean: z.number(),
    p50: z.number(),
    p75: z.number(),
    p90: z.number(),
    p95: z.number(),
    p99: z.number(),
    p999: z.number().describe("p99.9"),
    p9999: z.number().describe("p99.99"),
    max: z.number(),
  })
  .nullable()
  .describe("Milliseconds; null where there were no calls.");

const slice = {
  startMs: z.number().describe("From the beginning of the run."),
  started: z.int(),
  ok: z.int(),
  failed: z.int(),
  dropped: z.int(),
  p50: z.number().nullable(),
  p90: z.number().nullable(),
  p99: z.number().nullable(),
  max: z.number().nullable(),
};

const usage = z.object({ cores: z.number(), rssBytes: z.int(), processes: z.int() });

const judged = z.object({ threshold: z.string(), actual: z.string().describe("For people."), ok: z.boolean() });

const report = {
  ok: z.boolean().describe("Every threshold was kept, and some calls succeeded."),
  target: z.string(),
  where: z.string().describe("Without secrets."),
  server: z.string(),
  protocolVersion: z.string(),
  era: z.enum(["legacy", "modern"]),
  call: z.string().describe("What was called."),
  startedAt: z.string(),
  load: z.object({
    model: z.enum(["open", "closed"]),
    rate: z.string().optional().describe("Of an open loop, as it was asked for."),
    clients: z.int().optional().describe("Of a closed loop."),
    durationMs: z.int(),
    warmupMs: z.number(),
    sessions: z.int(),
  }),
  generator: z.object({
    valid: z.boolean().describe("False where the figures tell of the generator and not of the server."),
    lagP50Ms: z.number().nullable(),
    lagP99Ms: z.number().nullable(),
    lagMaxMs: z.number().nullable(),
    note: z.string(),
  }),
  calls: z.object({
    started: z.int(),
    ok: z.int(),
    failed: z.int(),
    dropped: z.int().describe("Not made, because too many had no answer."),
    retried: z.int().describe("Sent again after their session was lost."),
    errorRate: z.number().describe("0 to 1."),
    ratePerSecond: z.number().describe("Of successful calls."),
  }),
  latencyMs: summary.describe("Of successful calls, from when they were to start."),
  serviceMs: summary.describe("From when they were sent."),
  closedLoopMs: summary.describe("What one client would have seen that sends when its last answer has come."),
  phasesMs: z.object({ queue: summary, firstByte: summary, body: summary }),
  errors: z.array(z.object({ class: z.string(), count: z.int(), message: z.string().describe("Of the first one.") })),
  sessions: z.object({ opened: z.int(), lost: z.int(), reinitialised: z.int(), reconnected: z.int() }),
  cold: z.object({ openMs: summary, firstCallMs: summary }),
  warmup: z.object({ calls: z.int(), failed: z.int(), latencyMs: summary }).nullable(),
  process: usage.nullable().describe("Of the server, where it runs on this machine."),
  sliceMs: z.number(),
  timeline: z.array(z.object(slice)),
  spread: z.array(z.object({ fromMs: z.number(), toMs: z.number(), share: z.number() })),
  thresholds: z.array(judged),
};

const failover = {
  ok: z.boolean().describe("Every threshold was kept, and some calls succeeded."),
  target: z.string(),
  call: z.string(),
  startedAt: z.string(),
  durationMs: z.number(),
  calls: z.object({ started: z.int(), ok: z.int(), failed: z.int(), dropped: z.int() }),
  availability: z.number().describe("Share of the calls that succeeded, 0 to 1."),
  faults: z.array(
    z.object({
      fault: z.string().describe("As it was written."),
      kind: z.string(),
      part: z.string(),
      fromMs: z.number(),
      toMs: z.number(),
      detectionMs: z.number().nullable().describe("To the first call that failed or was slow; null where none was."),
      recoveryMs: z.number().describe("To the start of the last call that failed or was slow."),
      failbackMs: z.number().nullable().describe("From its end to the next answer of that part."),
      started: z.int(),
      failed: z.int(),
      slow: z.int(),
      availability: z.number(),
      latencyMs: summary,
    }),
  ),
  executions: z
    .object({
      calls: z.int(),
      lost: z.int().describe("Never executed."),
      lostButAnswered: z.int().describe("Of those the ones that were answered as if they had been."),
      duplicated: z.int().describe("Executions beyond the first one of a call."),
      unanswered: z.int().describe("Executed, but the caller got an error."),
      retried: z.int().describe("Calls that came to servers more than once."),
    })
    .nullable()
    .describe("Null where the servers do not note what they execute."),
  steadyMs: summary.describe("Before the first fault."),
  sessions: z.object({ opened: z.int(), lost: z.int(), reinitialised: z.int(), reconnected: z.int() }),
  errors: z.array(z.object({ class: z.string(), count: z.int(), message: z.string() })),
  generator: z.object({ valid: z.boolean(), lagP99Ms: z.number().nullable() }),
  timeline: z.array(
    z.object({ startMs: z.number(), started: z.int(), failed: z.int(), slowestMs: z.number().nullable() }),
  ),
  thresholds: z.array(judged),
};

const side = z.object({
  target: z.string(),
  ok: z.int(),
  failed: z.int(),
  cpuMsPerCall: z.number().nullable().describe("Of local processes; null where there are none."),
  rssBytes: z.int().nullable(),
});

const difference = z.object({
  metric: z.string(),
  a: z.number().nullable().describe("Milliseconds, or calls a second."),
  b: z.number().nullable(),
  estimate: z
    .object({
      ratio: z.number().nullable().describe("Of B to A: 1.05 is 5 % more."),
      low: z.number().nullable().describe("Of its 95 % interval."),
      high: z.number().nullable(),
      p: z.number().nullable().describe("With regard to the other metrics (Holm)."),
    })
    .nullable()
    .describe("Null where there are too few rounds."),
  verdict: z.enum(["slower", "faster", "no difference"]).describe("Of B."),
});

const comparison = {
  verdict: z.enum(["slower", "faster", "no difference"]).describe("Of B."),
  a: side,
  b: side,
  call: z.string(),
  blocks: z.int().describe("Of four rounds each: A B B A."),
  roundMs: z.number(),
  method: z.string(),
  differences: z.array(difference),
  generator: z.object({ valid: z.boolean(), lagP99Ms: z.number().nullable() }),
};

export const benchShapes: Readonly<Record<string, z.ZodRawShape>> = {
  BenchReport: report,
  BenchSlice: slice,
  FailoverReport: failover,
  BenchComparison: comparison,
};
