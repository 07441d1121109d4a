// A principal on its way to another process.

import type { Principal } from "./principal.ts";
import { asRecord } from "./text.ts";

/** As JSON has it: that does not know Infinity. */
export function principalText(who: Principal): Readonly<Record<string, unknown>> {
  return { ...who, expiresAt: String(who.expiresAt) };
}

/** What {@link principalText} wrote at another process. */
export function readPrincipal(text: unknown): Principal {
  const { id, subject, groups, scopes, claims, expiresAt } = asRecord(text);
  const texts = (list: unknown): readonly string[] => (Array.isArray(list) ? list.map(String) : []);
  return {
    id: String(id),
    subject: String(subject),
    groups: texts(groups),
    scopes: texts(scopes),
    claims: asRecord(claims),
    expiresAt: Number(expiresAt),
  };
}
