// What a config file may say of how much is accepted, as a schema.

import * as z from "zod";
import { limitDefaults } from "./limits.ts";
import { globPattern, maxCount, maxPages } from "./rules.ts";
import { type BackendLimitConfig, type LimitConfig, maxNesting, maxUnits, minNesting } from "./rules-limits.ts";
import { integer, size, strict, text } from "./schema-values.ts";
import { ratePattern } from "./units.ts";

const rate = text.regex(ratePattern, { error: 'expected a rate like "100/s" or "600/m"' }).optional();
const glob = text.regex(globPattern, { error: "expected the name of a tool, with * for any part" });
const quota = integer(1, maxUnits).optional();

type Count = z.ZodType<number | undefined>;

function count(fallback: number, about: string, max: number = maxCount): Count {
  return integer(1, max).optional().meta({ fallback }).describe(about);
}

export const limitsShape: z.ZodType<LimitConfig | undefined> = strict({
  body: size(limitDefaults.bodyBytes).describe("Of one request body."),
  header: size(limitDefaults.headerBytes).describe("Of the line and the headers of one request."),
  nesting: integer(minNesting, maxNesting)
    .optional()
    .meta({ fallback: limitDefaults.maxDepth })
    .describe("Arrays and objects in one another in a message of a client."),
  message: size(limitDefaults.messageBytes).describe("Of one message from a backend."),
  pages: count(limitDefaults.pages, "Pages that are followed for one listing of one backend.", maxPages),
  items: count(limitDefaults.items, "Items that are kept of one listing of one backend."),
  sessions: count(limitDefaults.sessions, "Sessions that are open at the same time, and as many listen streams."),
  streams: count(
    limitDefaults.streams,
    "Streams of one principal that only listen; with auth a third of limits.connections.",
  ),
  parked: count(limitDefaults.parked, "Calls of one principal that wait for input from a modern client."),
  connections: count(limitDefaults.connections, "Connections of clients that are open at the same time."),
  rate: rate.describe("Requests of one principal, like 100/s; without auth of all clients together."),
  concurrency: integer(1, maxCount).optional().describe("Requests of one principal that are in flight."),
  quota: quota.describe("Tool calls of one principal in a day (UTC), each at the cost of its tool."),
})
  .optional()
  .describe("How much to accept.");

export const backendLimitsShape: z.ZodType<BackendLimitConfig | undefined> = strict({
  rate: rate.describe("Tool calls of all principals together, like 100/s."),
  quota: quota.describe("Tool calls of all principals together in a day (UTC), each at the cost of its tool."),
  tools: z
    .record(
      glob,
      strict({
        rate: rate.describe("Calls of all principals together."),
        concurrency: integer(1, maxCount).optional().describe("Calls that are in flight."),
        cost: integer(0, maxUnits).optional().meta({ fallback: 1 }).describe("What one call takes from quotas."),
      }),
    )
    .optional()
    .describe("The same for some tools, by glob of their names at the server."),
})
  .optional()
  .describe("How many calls of its tools are let through; more are answered with 429.");
