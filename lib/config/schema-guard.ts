// What a config file may say of the trust in a server, as a schema.

import * as z from "zod";
import { maskedBytes } from "./guard.ts";
import { type GuardConfig, isMaskPattern, type SandboxConfig, typePattern } from "./rules-guard.ts";
import { filled, flag, size, strict, text, textError } from "./schema-values.ts";

const paths = z.array(filled).optional();

/** Of an endpoint with a command. */
export const sandboxShape: z.ZodType<SandboxConfig> = z
  .union(
    [
      z.literal("bubblewrap"),
      strict({
        type: z.literal("bubblewrap").describe("The only one that there is; Linux alone has it."),
        read: paths.describe("Paths in hidden folders, /tmp or /run that can be read all the same."),
        write: paths.describe("Paths that can be written to; everything else is read-only."),
        hide: paths.describe("Paths that cannot be seen, beside those where keys are usually kept."),
        network: flag.optional().meta({ fallback: false }).describe("Leave it the network."),
      }),
    ],
    { error: 'expected "bubblewrap", or a map with type: bubblewrap' },
  )
  .describe("Where the child process is locked up; it is not started where that cannot be done.");

export const guardShape: z.ZodType<GuardConfig | undefined> = strict({
  size: size(maskedBytes).describe("Of one result; without mask it may be as large as limits.message."),
  types: z
    .array(text.regex(typePattern, { error: 'expected a MIME type, like "image/png" or "text/*"' }))
    .min(1, { error: "must not be empty" })
    .optional()
    .describe("MIME types that results may have, with * for any part; plain text always may."),
  mask: z
    .array(
      z.string({ error: textError }).refine(isMaskPattern, {
        error: "expected a regular expression of RE2: no look-around, no references back",
      }),
    )
    .optional()
    .describe("Regular expressions (RE2); what they match in texts of the server is replaced by [masked]."),
})
  .optional()
  .describe("What of the server's results is let through.");
