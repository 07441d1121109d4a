// What somebody who is signed in to the gateway sees of the logins of backends, and may do to them.

import type { Backend } from "../backend/backend.ts";
import { describeLogin, type LoginPlace, loginPlaceOf, loginsOf, readPlace } from "../backend/logins.ts";
import type { Principal } from "../core/principal.ts";
import type { Hub } from "../route/hub.ts";
import type { PageEntry } from "./oauth-html.ts";

/** The backends that there are for somebody. */
export function backendsOf(hub: Hub, who: Principal): readonly Backend[] {
  const whole = hub.view("");
  const seen = whole && hub.seenBy(whole, who);
  return seen ? hub.backendsOf(seen) : [];
}

/** Where somebody's login is, where they may work on it; `of`: another's. */
export function placeFor(hub: Hub, { plan }: Backend, who: Principal, of: string = who.id): LoginPlace | undefined {
  const place = loginPlaceOf(plan, of);
  if (!place) return undefined;
  const isOwn = of === who.id && !place.site.plan.shared;
  return isOwn || mayOperate(hub, who) ? place : undefined;
}

/** Whether somebody may sign in for everybody, and end logins of others; where everybody is let in, everybody may. */
function mayOperate(hub: Hub, who: Principal): boolean {
  return hub.plan.auth === undefined || hub.mayOperate(who, "mcpctl/oauth");
}

export function entryOf(hub: Hub, { plan }: Backend, who: Principal): PageEntry {
  const place = loginPlaceOf(plan, who.id);
  const isOperator = mayOperate(hub, who);
  const isShared = place?.site.plan.shared === true;
  const owner = place?.site.login.who ?? "";
  const rest = place && !isShared && isOperator ? loginsOf(place).filter((login) => login.who !== owner) : [];
  return {
    backend: plan.name,
    login: place && describeLogin(readPlace(place), owner),
    kind: kindOf(plan),
    isShared,
    isOpen: !isShared || isOperator,
    others: rest.map((login) => describeLogin(login, login.who)),
  };
}

/** How a backend is signed in to where nobody has to. */
function kindOf({ replicas }: Backend["plan"]): string {
  for (const replica of replicas) {
    if (replica.kind === "stdio") return "a program of its own";
    if (replica.auth?.kind === "file") return "token from a file";
    if (replica.auth?.kind === "client" || replica.auth?.kind === "oauth") return "tokens without a login";
    if (Object.keys(replica.headers).length > 0) return "fixed headers";
  }
  return "no credentials";
}
