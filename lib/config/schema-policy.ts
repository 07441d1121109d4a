// What a config file may say of who may use what, as a schema.

import * as z from "zod";
import { globPattern } from "./rules.ts";
import { keyNamePattern, scopePattern } from "./rules-auth.ts";
import { pointerPattern, type PolicyConfig } from "./rules-policy.ts";
import { ratePattern } from "./units.ts";
import { filled, flag, strict, text } from "./schema-values.ts";

const globs = z.array(text.regex(globPattern, { error: "expected a name, with * for any part" })).optional();
const scope = text.regex(scopePattern, { error: "expected a scope: no blanks, quotes or backslashes" });
const pointer = text.regex(pointerPattern, { error: 'expected a JSON Pointer like "/path"' });

const role = strict({
  subjects: globs.describe("Globs of principals, like key:ci or token:https://id.example.com#ada."),
  groups: z.array(filled).optional().describe("At least one of them."),
  scopes: z.array(scope).optional().describe("All of them."),
  claims: z
    .record(pointer, z.array(text.regex(globPattern)))
    .optional()
    .describe("Globs by JSON Pointer into the claims of a token."),
});

const rule = strict({
  effect: z.enum(["allow", "deny", "confirm"]).describe("What becomes of a call that fits; confirm asks the user."),
  roles: z.array(filled).optional().describe("Whom it is about; left out: everybody."),
  backends: globs.describe("Backends that it is about."),
  tools: globs.describe("Tools, by their names at the backend."),
  prompts: globs.describe("Prompts, by their names at the backend."),
  resources: globs.describe("Resources and templates, by their URIs at the backend."),
  methods: globs.describe("Methods of extensions."),
  annotations: strict({
    readOnlyHint: flag.optional().describe("It changes nothing."),
    destructiveHint: flag.optional().describe("It may destroy something."),
    idempotentHint: flag.optional().describe("Calling it again changes nothing more."),
    openWorldHint: flag.optional().describe("It reaches out of its own world."),
  })
    .optional()
    .describe("What the tool's definition must say of it, or leave to the default of the protocol."),
  arguments: z
    .record(pointer, z.record(z.string(), z.unknown()))
    .optional()
    .describe("JSON Schemas by JSON Pointer into the arguments; all of them must fit."),
  rate: text
    .regex(ratePattern, { error: 'expected a rate like "10/m"' })
    .optional()
    .describe("Calls that fit, of one principal, like 10/m."),
  scopes: z.array(scope).optional().describe("Scopes that a token needs; one without is asked for them (403)."),
});

export const policyShape: z.ZodType<PolicyConfig | undefined> = strict({
  default: z
    .enum(["allow", "deny"])
    .optional()
    .meta({ fallback: "allow" })
    .describe("What becomes of what no rule fits."),
  roles: z
    .record(text.regex(keyNamePattern), role)
    .optional()
    .describe("Groups of principals, by name, for the rules."),
  rules: z.array(rule).optional().describe("Who may use what; the first rule that fits counts."),
})
  .optional()
  .describe("Who may see and use which tools, prompts and resources.");
