// What a config says of listings, as a plan.

import type { RulesPlan, ViewPlan } from "./catalog.ts";
import type { RulesConfig, ViewConfig } from "./rules.ts";

/** Undefined where the config says nothing about it. */
export function compileRules({ tools, prompts, resources }: RulesConfig): RulesPlan | undefined {
  if (!tools && !prompts && !resources) return undefined;
  return {
    ...(tools ? { tools: given(tools) } : {}),
    ...(prompts ? { prompts: given(prompts) } : {}),
    ...(resources ? { resources: given(resources) } : {}),
  };
}

export function compileViews(views: Readonly<Record<string, ViewConfig>>): readonly ViewPlan[] {
  return Object.entries(views).map(([name, view]) => ({ name, ...given(view) }));
}

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without members that are there and undefined. */
function given<T extends object>(config: T): Given<T>;
function given(config: object): object {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
