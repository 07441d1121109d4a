// What a new plan changes of the topology, for the log.

import { type Plan, samePlan } from "./plan.ts";

/** Like `added c; removed d; changed e; 2 as before`; empty where all backends are as before. */
export function describeChange(before: Plan, after: Plan): string {
  const old = new Map(before.backends.map((backend) => [backend.name, backend]));
  const added = after.backends.filter(({ name }) => !old.has(name));
  const kept = after.backends.flatMap((backend) => {
    const known = old.get(backend.name);
    return known ? [{ name: backend.name, isSame: samePlan(known, backend) }] : [];
  });
  const names = new Set(after.backends.map(({ name }) => name));
  const removed = before.backends.filter(({ name }) => !names.has(name));
  const changed = kept.filter(({ isSame }) => !isSame);
  const parts = Object.entries({ added, removed, changed }).flatMap(([what, some]) =>
    some.length > 0 ? [`${what} ${some.map(({ name }) => name).join(", ")}`] : [],
  );
  return parts.length > 0 ? [...parts, `${kept.length - changed.length} as before`].join("; ") : "";
}
