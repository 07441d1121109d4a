// Capabilities between the eras: what one side declared, in the words of the other, without what cannot be carried.

import { isRecord } from "../core/text.ts";
import type { ServerFacts } from "./codec.ts";
import type { DiscoverFacts } from "./modern-discover.ts";
import { noCache } from "./modern-cache.ts";
import { tasksExtension } from "./modern.ts";

type Capabilities = Readonly<Record<string, unknown>>;

/** What a legacy client declared, as its requests to a modern backend declare it. */
export function modernClientCapabilities(legacy: Capabilities): Capabilities {
  // Changes of roots are not told in the modern era.
  return withoutTasks({
    ...legacy,
    ...(isRecord(legacy["roots"]) ? { roots: without(legacy["roots"], "listChanged") } : {}),
  });
}

/** What a modern client declared, as an initialize to a legacy backend declares it. */
export function legacyClientCapabilities(modern: Capabilities): Capabilities {
  return withoutTasks(modern);
}

/** What a legacy backend declared, as discover says it. */
export function modernServerCapabilities(legacy: Capabilities): Capabilities {
  return withoutTasks(legacy);
}

/** What a modern backend declared, as the answer to an initialize says it. */
export function legacyServerCapabilities(modern: Capabilities): Capabilities {
  return withoutTasks(modern);
}

/** The tasks of the eras are different things with one name; neither is carried over. */
function withoutTasks(capabilities: Capabilities): Capabilities {
  const kept = without(capabilities, "tasks");
  const { extensions } = kept;
  if (!isRecord(extensions) || !Object.hasOwn(extensions, tasksExtension)) return kept;
  const others = without(extensions, tasksExtension);
  return Object.keys(others).length > 0 ? { ...kept, extensions: others } : without(kept, "extensions");
}

function without(record: Capabilities, name: string): Capabilities {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name));
}

/** What one legacy backend said to initialize, as its answer to discover. */
export function discoverOf(facts: ServerFacts, supported: readonly string[]): DiscoverFacts {
  const { capabilities, serverInfo, instructions } = facts;
  return {
    supported,
    capabilities: modernServerCapabilities(capabilities),
    serverInfo,
    instructions,
    cache: noCache,
  };
}
