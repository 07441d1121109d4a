// The part of the schema about listings: pages, what is shown and under which words, views, disclosure, the lock.

import * as z from "zod";
import { planDefaults } from "./plan.ts";
import { globPattern, maxCount, memberPattern, namePattern, toolNamePattern } from "./rules.ts";
import { filled, integer, strict, text } from "./schema-values.ts";

const glob = text.regex(globPattern, { error: "expected a name, with * for any part" });
const globs = z.array(glob);
const countError = `a whole number from 1 to ${maxCount}`;
const { pagination } = planDefaults;

const itemRules = {
  allow: globs.optional().describe("Show only these, by glob of their own names."),
  deny: globs.optional().describe("Hide these, by glob of their own names; what is hidden cannot be used either."),
};

/** Of a backend. */
export const rulesShape: Readonly<Record<string, z.ZodType>> = {
  tools: strict({
    ...itemRules,
    rename: z
      .record(
        filled,
        text.regex(toolNamePattern, { error: "expected a name of up to 64 letters, digits, '-', '_' and '.'" }),
      )
      .optional()
      .describe("Other names for tools, by their own ones."),
    describe: z.record(glob, text).optional().describe("Other descriptions for tools, by glob."),
    override: z
      .record(
        glob,
        z.record(text.regex(memberPattern, { error: "the name of a tool is changed by rename" }), z.unknown()),
      )
      .optional()
      .describe("Members of the definitions of tools to replace (title, annotations …), by glob."),
  })
    .optional()
    .describe("Which tools are shown, and in which words."),
  prompts: strict(itemRules).optional().describe("Which prompts are shown."),
  resources: strict(itemRules).optional().describe("Which resources and templates are shown, by URI."),
  tags: z.array(filled).optional().describe("Words by which views choose this backend."),
};

const disclosure = z.enum(["full", "search"]).optional();

const view = strict({
  backends: z
    .array(filled)
    .optional()
    .describe("Backends that the view shows; all of them if none and no tag is named."),
  tags: z.array(filled).optional().describe("Backends with one of these tags are shown too."),
  tools: globs.optional().describe("Show only these tools, by glob of the names in the listing."),
  prompts: globs.optional().describe("Show only these prompts, by glob of the names in the listing."),
  resources: globs.optional().describe("Show only these resources and templates, by glob of their URIs."),
  disclosure: disclosure.describe("As disclosure of the gateway, for this view."),
});

/** Of the gateway. */
export const catalogShape: Readonly<Record<string, z.ZodType>> = {
  pagination: strict({
    pageSize: z
      .union([z.literal("off"), integer(1, maxCount)], { error: `expected off or ${countError}` })
      .optional()
      .meta({ fallback: pagination.pageSize })
      .describe("Items of one page of a listing; off gives all of them in one."),
    maxPageSize: integer(1, maxCount)
      .optional()
      .meta({ fallback: pagination.maxPageSize })
      .describe("The most that a client gets that asks for another size, with ?pageSize= behind the endpoint."),
  })
    .optional()
    .describe("How listings are cut into pages."),
  views: z
    .record(z.string(), view)
    .meta({ propertyNames: { pattern: namePattern.source } })
    .optional()
    .describe("Parts of the gateway with an endpoint of their own, /mcp/<view>, by name."),
  disclosure: disclosure
    .meta({ fallback: planDefaults.disclosure })
    .describe("What clients see of the tools: all of them, or three tools that find, describe and call them."),
  lock: z
    .enum(["off", "warn", "enforce"])
    .optional()
    .meta({ fallback: planDefaults.lock.mode })
    .describe("What happens to tools that are not as the lock file has them: nothing, a warning, or they are hidden."),
  lockFile: filled
    .optional()
    .meta({ fallback: planDefaults.lock.file })
    .describe("The lock file, relative to the folder of this file."),
};
