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

export const benchShapes: Readonly<Record<string, z.ZodRawShape>> = { BenchReport: report, BenchSlice: slice };
