// The quick reader of what a config says of who may use what.

import { fieldsOf, flag, listOf, mapOf, matching, oneOf, type Reader } from "./readers.ts";
import { globPattern, textPattern } from "./rules.ts";
import { keyNamePattern, scopePattern } from "./rules-auth.ts";
import {
  type Hint,
  pointerPattern,
  type PolicyConfig,
  type PolicyRuleConfig,
  type RoleConfig,
} from "./rules-policy.ts";
import { ratePattern } from "./units.ts";
import { isRecord } from "../core/text.ts";

const text = matching(textPattern);
const filled: Reader<string> = (value) => (value === "" ? undefined : text(value));
const globs = listOf(matching(globPattern));
const scopes = listOf(matching(scopePattern));
const pointer = matching(pointerPattern);

const role = fieldsOf<RoleConfig>({
  subjects: globs,
  groups: listOf(filled),
  scopes,
  claims: mapOf(pointer, globs),
});

const rule = fieldsOf<PolicyRuleConfig>(
  {
    effect: oneOf("allow", "deny", "confirm"),
    roles: listOf(filled),
    backends: globs,
    tools: globs,
    prompts: globs,
    resources: globs,
    methods: globs,
    annotations: fieldsOf<{ readonly [Name in Hint]?: boolean | undefined }>({
      readOnlyHint: flag,
      destructiveHint: flag,
      idempotentHint: flag,
      openWorldHint: flag,
    }),
    arguments: mapOf(pointer, (value) => (isRecord(value) ? value : undefined)),
    scopes,
    rate: matching(ratePattern),
  },
  ["effect"],
);

export const policyReader: Reader<PolicyConfig> = fieldsOf<PolicyConfig>({
  default: oneOf("allow", "deny"),
  roles: mapOf(matching(keyNamePattern), role),
  rules: listOf(rule),
});
