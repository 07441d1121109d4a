// What of a plan lets somebody in. As long as it stays the same, what they have begun goes on.

import type { Plan } from "../config/plan.ts";
import { anonymous, type Principal } from "../core/principal.ts";

export interface Footing {
  /** As what they come in. Secret. */
  readonly text: string;
  /** Until when, Unix ms. */
  readonly until: number;
  /** What is good enough: without some of it fewer come in. */
  readonly accepted: readonly string[];
  /** What they must have: with more of it fewer come in. */
  readonly required: readonly string[];
}

/** What lets somebody in; undefined where nothing does. */
export type Footings = (who: Principal) => Footing | undefined;

export function footingsOf({ auth, tls }: Plan): Footings {
  const keys = new Map(auth?.keys.map((key) => [`key:${key.name}`, key]));
  return ({ id }) => {
    if (!auth) return id === anonymous.id ? lasting("") : undefined;
    const key = keys.get(id);
    if (key) return { ...lasting(JSON.stringify([key.hash, key.groups, key.scopes])), until: key.expiresAt };
    if (id.startsWith("certificate:")) return auth.certificates ? lasting(tls?.clientCa ?? "") : undefined;
    const plan = auth.issuers.find((each) => id.startsWith(`token:${each.issuer}#`));
    if (!plan) return undefined;
    const { issuer, groupsClaim, audiences, algorithms, introspection } = plan;
    const accepted = [...audiences, ...algorithms, ...(introspection ? ["introspection"] : [])];
    return { ...lasting(JSON.stringify([issuer, groupsClaim])), accepted, required: auth.scopes };
  };
}

function lasting(text: string): Footing {
  return { text, until: Infinity, accepted: [], required: [] };
}

/** Whether a plan lets somebody in as the one before it did. */
export function comparePlans(before: Plan, after: Plan): (who: Principal) => boolean {
  const [was, is] = [footingsOf(before), footingsOf(after)];
  // Many streams may be of few principals.
  const known = new Map<string, boolean>();
  return (who) => {
    const isGood = known.get(who.id) ?? holds(was(who), is(who));
    known.set(who.id, isGood);
    return isGood;
  };
}

/** What gives more ends nothing: what was begun with less goes on with that. */
function holds(was: Footing | undefined, is: Footing | undefined): boolean {
  if (!was || !is) return was === is;
  const isWide = is.until >= was.until && was.accepted.every((each) => is.accepted.includes(each));
  return was.text === is.text && isWide && is.required.every((each) => was.required.includes(each));
}
