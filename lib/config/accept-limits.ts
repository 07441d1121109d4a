// The quick reader of what a config says of how much is accepted.

import { fieldsOf, integer, mapOf, matching, quantity, type Reader } from "./readers.ts";
import { byteRange, globPattern, maxCount, maxPages } from "./rules.ts";
import {
  type BackendLimitConfig,
  type LimitConfig,
  maxNesting,
  maxUnits,
  minNesting,
  type ToolLimitConfig,
} from "./rules-limits.ts";
import { parseSize, ratePattern } from "./units.ts";

const size = quantity(parseSize, ...byteRange);
const count = integer(1, maxCount);
const rate = matching(ratePattern);

export const limitsReader: Reader<LimitConfig> = fieldsOf<LimitConfig>({
  body: size,
  header: size,
  nesting: integer(minNesting, maxNesting),
  message: size,
  pages: integer(1, maxPages),
  items: count,
  sessions: count,
  streams: count,
  parked: count,
  connections: count,
  rate,
  concurrency: count,
  quota: integer(1, maxUnits),
});

export const backendLimitsReader: Reader<BackendLimitConfig> = fieldsOf<BackendLimitConfig>({
  rate,
  quota: integer(1, maxUnits),
  tools: mapOf(
    matching(globPattern),
    fieldsOf<ToolLimitConfig>({ rate, concurrency: count, cost: integer(0, maxUnits) }),
  ),
});
