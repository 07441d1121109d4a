// Who may see and use what: the rules of the config, and what of them is left for one principal.

import type { PolicyPlan, PolicyRulePlan, RolePlan } from "../config/rules-policy.ts";
import { matcherOf } from "../core/glob.ts";
import { valueAt } from "../core/pointer.ts";
import type { Principal } from "../core/principal.ts";
import { type Granted, Grants } from "./grants.ts";

type Fits = (who: Principal) => boolean;

/** Principals differ in names, and hardly in rights: those with the same share what is made of them. */
const maxGrants = 1000;

export class Policy {
  readonly #default: PolicyPlan["default"];
  readonly #rules: readonly { readonly fits: Fits; readonly rule: PolicyRulePlan }[];
  readonly #byWho = new WeakMap<Principal, Grants>();
  readonly #bySign = new Map<string, Grants>();

  constructor(plan: PolicyPlan) {
    this.#default = plan.default;
    const roles = new Map(Object.entries(plan.roles).map(([name, role]) => [name, roleFits(role)]));
    this.#rules = plan.rules.map((rule) => ({ rule, fits: ruleFits(rule, roles) }));
  }

  /** What the rules leave for a principal; one object for all that have the same. */
  grantsOf(who: Principal): Grants {
    const known = this.#byWho.get(who);
    if (known) return known;
    const granted = this.#rules.flatMap(({ rule, fits }, place): Granted[] =>
      fits(who) ? [{ rule, place, missing: (rule.scopes ?? []).filter((scope) => !who.scopes.includes(scope)) }] : [],
    );
    const sign = granted.map(({ place, missing }) => `${place} ${missing.join(" ")}`).join(";");
    const grants = this.#bySign.get(sign) ?? new Grants(this.#default, granted);
    if (this.#bySign.size >= maxGrants) this.#bySign.clear();
    this.#bySign.set(sign, grants);
    this.#byWho.set(who, grants);
    return grants;
  }
}

function ruleFits({ roles }: PolicyRulePlan, known: ReadonlyMap<string, Fits>): Fits {
  if (!roles) return () => true;
  const named = roles.flatMap((name) => known.get(name) ?? []);
  return (who) => named.some((fits) => fits(who));
}

function roleFits({ subjects, groups, scopes, claims }: RolePlan): Fits {
  const isSubject = subjects && matcherOf(subjects);
  const wanted = Object.entries(claims ?? {}).map(([pointer, globs]) => ({ pointer, isGood: matcherOf(globs) }));
  return (who) => {
    if (isSubject && !isSubject(who.id)) return false;
    if (groups && !groups.some((group) => who.groups.includes(group))) return false;
    if (scopes && !scopes.every((scope) => who.scopes.includes(scope))) return false;
    return wanted.every(({ pointer, isGood }) => textsOf(valueAt(who.claims, pointer)).some(isGood));
  };
}

/** One text, or those of a list. */
function textsOf(value: unknown): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.flatMap((each) => {
    if (typeof each === "string") return [each];
    return typeof each === "number" || typeof each === "boolean" ? [String(each)] : [];
  });
}
