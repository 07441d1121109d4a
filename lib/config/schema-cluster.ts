// What a config file may say of other gateway processes, as a schema.

import * as z from "zod";
import { type ClusterConfig, clusterDefaults, clusterPrefixPattern, isEngineUrl } from "./rules-cluster.ts";
import { strict, text } from "./schema-values.ts";

const urlError = 'expected an address like "redis://cache.example.com:6379": redis, rediss, valkey or valkeys';

export const clusterShape: z.ZodType<ClusterConfig | undefined> = strict({
  url: z
    .string({ error: urlError })
    .refine(isEngineUrl, { error: urlError })
    .describe("Valkey or Redis where the processes meet, like rediss://:${VALKEY_PASSWORD}@valkey.example.com:6379."),
  prefix: text
    .regex(clusterPrefixPattern, { error: "expected up to 64 letters, digits, or any of . _ : -" })
    .optional()
    .meta({ fallback: clusterDefaults.prefix })
    .describe("Of all keys and channels there; processes with another prefix are another cluster."),
})
  .optional()
  .describe("Several gateway processes that serve the same clients; all of them need the same sealKeys.");
