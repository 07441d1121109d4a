// What of a plan lets somebody in. As long as it stays the same, what they have begun goes on.

import type { Plan } from "../config/plan.ts";
import { anonymous, type Principal } from "../core/principal.ts";

/** Equal texts let somebody in as the same; undefined where nothing does. Secret. */
export type Footings = (who: Principal) => string | undefined;

export function footingsOf({ auth, publicUrl, tls }: Plan): Footings {
  const keys = new Map(auth?.keys.map((key) => [`key:${key.name}`, key]));
  return ({ id }) => {
    if (!auth) return id === anonymous.id ? "" : undefined;
    const key = keys.get(id);
    if (key) return JSON.stringify([key.hash, key.groups, key.scopes, key.expiresAt]);
    if (id.startsWith("certificate:")) return auth.certificates ? (tls?.clientCa ?? "") : undefined;
    const issuer = auth.issuers.find((each) => id.startsWith(`token:${each.issuer}#`));
    return issuer && JSON.stringify([issuer, auth.scopes, publicUrl]);
  };
}

/** Whether a plan lets somebody in as the one before it did. */
export function comparePlans(before: Plan, after: Plan): (who: Principal) => boolean {
  const [was, is] = [footingsOf(before), footingsOf(after)];
  // Many streams may be of few principals.
  const known = new Map<string, boolean>();
  return (who) => {
    const isSame = known.get(who.id) ?? was(who) === is(who);
    known.set(who.id, isSame);
    return isSame;
  };
}
