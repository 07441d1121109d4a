// What a plan says of listings beside names: which items are shown, under which words, and in which views.

/** Which items of one kind are shown. */
export interface ItemRulesPlan {
  /** Globs of the items' own names; absent = all of them. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export interface ToolRulesPlan extends ItemRulesPlan {
  /** Other names, by the tool's own one. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Other descriptions, by glob; the last one that fits counts. */
  readonly describe?: Readonly<Record<string, string>>;
  /** Members of the definition to replace, by glob; the last one that fits counts for each. */
  readonly override?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface RulesPlan {
  readonly tools?: ToolRulesPlan;
  readonly prompts?: ItemRulesPlan;
  /** Of resources and of templates, by URI. */
  readonly resources?: ItemRulesPlan;
}

export type Disclosure = "full" | "search";

/** A part of the gateway with an endpoint of its own. */
export interface ViewPlan {
  readonly name: string;
  /** Names of backends; with tags, those of either. Both absent = all of them. */
  readonly backends?: readonly string[];
  readonly tags?: readonly string[];
  /** Globs of exposed names and URIs; absent = all of them. */
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  readonly resources?: readonly string[];
  /** Absent = as the gateway. */
  readonly disclosure?: Disclosure;
}

export type LockMode = "off" | "warn" | "enforce";

/** Whether the tools that are offered must be those that were accepted. */
export interface LockPlan {
  readonly mode: LockMode;
  /** Absolute, where the config says anything about it. */
  readonly file: string;
}
