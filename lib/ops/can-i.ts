// What a policy says of one principal and one item, and which of its rules says it.

import type { AuthPlan } from "../config/auth.ts";
import type { PolicyPlan, PolicyRulePlan } from "../config/rules-policy.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import type { Decision, GrantKind } from "../merge/grants.ts";
import { Policy } from "../merge/policy.ts";

export interface Question {
  readonly kind: GrantKind;
  readonly backend: string;
  /** At the backend. */
  readonly name: string;
  /** The definition of a tool, as its server lists it; absent: nothing is known of it. */
  readonly tool?: Uint8Array | undefined;
}

export interface Verdict {
  readonly decision: Decision["kind"];
  /** Whether it is listed. */
  readonly visible: boolean;
  /** Of the rule that decides, from 1; undefined where the default does. */
  readonly rule: number | undefined;
  /** Rules that fit but for the arguments, from 1. */
  readonly byArguments: readonly number[];
  readonly scopes: readonly string[];
}

/** Who has this id in the config, with more groups and scopes. */
export function principalOf(
  id: string,
  auth: AuthPlan | undefined,
  groups: readonly string[],
  scopes: readonly string[],
): Principal {
  const key = auth?.keys.find(({ name }) => id === `key:${name}`);
  return {
    ...anonymous,
    id,
    subject: key?.name ?? id,
    groups: [...(key?.groups ?? []), ...groups],
    scopes: [...(key?.scopes ?? []), ...scopes],
  };
}

/** Arguments are taken to fit no rule that looks at them. */
export function canI(policy: PolicyPlan | undefined, who: Principal, question: Question): Verdict {
  if (!policy) return { decision: "allow", visible: true, rule: undefined, byArguments: [], scopes: [] };
  const grants = new Policy(policy).grantsOf(who);
  const looked: PolicyRulePlan[] = [];
  const decision = grants.decide(question, (rule) => {
    looked.push(rule);
    return false;
  });
  return {
    decision: decision.kind,
    visible: grants.shows(question),
    rule: decision.place === undefined ? undefined : decision.place + 1,
    byArguments: looked.map((rule) => policy.rules.indexOf(rule) + 1),
    scopes: decision.kind === "scopes" ? decision.scopes : [],
  };
}
