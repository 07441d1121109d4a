// The quick readers of what a config says about listings.

import { anyText, type Fields, fieldsOf, integer, listOf, mapOf, matching, oneOf, type Reader } from "./readers.ts";
import {
  type CatalogConfig,
  globPattern,
  type ItemRulesConfig,
  maxCount,
  memberPattern,
  type PaginationConfig,
  type RulesConfig,
  textPattern,
  toolNamePattern,
  type ToolRulesConfig,
  type ViewConfig,
} from "./rules.ts";

const text = matching(textPattern);
const filled: Reader<string> = (value) => (value === "" ? undefined : text(value));
const glob = matching(globPattern);
const globs = listOf(glob);
const itemRules: Fields<ItemRulesConfig> = { allow: globs, deny: globs };
const disclosure = oneOf("full", "search");

/** Of a backend. */
export const rulesFields: Fields<RulesConfig> = {
  tools: fieldsOf<ToolRulesConfig>({
    ...itemRules,
    rename: mapOf(filled, matching(toolNamePattern)),
    describe: mapOf(glob, text),
    override: mapOf(glob, mapOf(matching(memberPattern), anything)),
  }),
  prompts: fieldsOf<ItemRulesConfig>(itemRules),
  resources: fieldsOf<ItemRulesConfig>(itemRules),
  tags: listOf(filled),
};

/** Of the gateway. */
export const catalogFields: Fields<CatalogConfig> = {
  pagination: fieldsOf<PaginationConfig>({ pageSize, maxPageSize: integer(1, maxCount) }),
  // Their names are checked elsewhere, for both readers.
  views: mapOf(
    anyText,
    fieldsOf<ViewConfig>({
      backends: listOf(filled),
      tags: listOf(filled),
      tools: globs,
      prompts: globs,
      resources: globs,
      disclosure,
    }),
  ),
  disclosure,
  lock: oneOf("off", "warn", "enforce"),
  lockFile: filled,
};

function anything(value: unknown): unknown {
  return value;
}

function pageSize(value: unknown): number | "off" | undefined {
  return value === "off" ? value : integer(1, maxCount)(value);
}
