// Subscriptions between the eras: the filter of one listen stream, and the single subscriptions of the legacy era.

import { type ListenFilter, unionFilter } from "./modern-listen.ts";

/** What a legacy client hears: list changes without asking, and the resources that it subscribed to. */
export function filterOfLegacy(uris: Iterable<string>): ListenFilter {
  return { tools: true, prompts: true, resources: true, uris: [...new Set(uris)], tasks: [] };
}

/** Resources to subscribe to, and to unsubscribe from, at a legacy backend. */
export interface SubscriptionChange {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

/** What changes at a legacy backend when the listeners of a link want `next` and wanted `before`. */
export function subscriptionChange(before: readonly ListenFilter[], next: readonly ListenFilter[]): SubscriptionChange {
  const had = new Set(unionFilter(before).uris);
  const has = new Set(unionFilter(next).uris);
  return {
    subscribe: [...has].filter((uri) => !had.has(uri)),
    unsubscribe: [...had].filter((uri) => !has.has(uri)),
  };
}

/** Whether a listen stream with filter `open` already hears all that `wanted` asks for, so that it need not be opened anew. */
export function covers(open: ListenFilter, wanted: ListenFilter): boolean {
  const has = (all: readonly string[], some: readonly string[]): boolean => {
    const held = new Set(all);
    return some.every((each) => held.has(each));
  };
  return (
    (open.tools || !wanted.tools) &&
    (open.prompts || !wanted.prompts) &&
    (open.resources || !wanted.resources) &&
    has(open.uris, wanted.uris) &&
    has(open.tasks, wanted.tasks)
  );
}
