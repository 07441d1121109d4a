// The modern era: revision 2026-07-28, with metadata on each request and neither sessions nor requests of servers.

import type { ClientFacts, EraCodec } from "./codec.ts";
import { readDiscovered } from "./modern-discover.ts";
import { modernVersions, requestMeta } from "./modern-meta.ts";
import { asRecord, decodeText } from "../core/text.ts";

/** Id of the Tasks extension. */
export const tasksExtension = "io.modelcontextprotocol/tasks";

/** Extensions that bring no methods, or methods whose way the gateway knows. */
const routedExtensions: ReadonlySet<string> = new Set([tasksExtension, "io.modelcontextprotocol/ui"]);

/** Whether a server, by its capabilities, may answer methods that no revision has. */
export function hasOwnMethods({ extensions, experimental }: Readonly<Record<string, unknown>>): boolean {
  const declared = [...Object.keys(asRecord(extensions)), ...Object.keys(asRecord(experimental))];
  return declared.some((name) => !routedExtensions.has(name));
}

/** What a client must declare to use tasks, as a refusal names it. */
export const tasksCapability: Readonly<Record<string, unknown>> = { extensions: { [tasksExtension]: {} } };

/** Notifications that a modern server may send; the last one belongs to the Tasks extension. */
export const modernServerNotifications: ReadonlySet<string> = new Set([
  "notifications/cancelled",
  "notifications/progress",
  "notifications/message",
  "notifications/resources/updated",
  "notifications/resources/list_changed",
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/subscriptions/acknowledged",
  "notifications/tasks",
]);

const cacheableMethods: ReadonlySet<string> = new Set([
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

const inputMethods: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** Whether complete results of a method carry `ttlMs` and `cacheScope` (2026-07-28, Caching, "Cacheable Results"). */
export function isCacheable(method: string): boolean {
  return cacheableMethods.has(method);
}

/** Whether a method may be answered with `input_required` (2026-07-28, Multi Round-Trip Requests, "Supported Requests"). */
export function mayNeedInput(method: string): boolean {
  return inputMethods.has(method);
}

export const modernCodec: EraCodec = {
  era: "modern",
  versions: modernVersions,
  requests: new Set([
    "server/discover",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
  ]),
  openMethod: "server/discover",
  openedMethod: undefined,
  negotiate: (requested) => modernVersions.find((version) => version === requested) ?? modernVersions[0],
  openParams: ({ name, version, capabilities }: ClientFacts) => {
    const meta = requestMeta({ version: modernVersions[0], clientInfo: { name, version }, capabilities });
    const entries = meta.map(([key, value]): [string, unknown] => [key, JSON.parse(decodeText(value))]);
    return { _meta: Object.fromEntries(entries) };
  },
  readOpened: (result) => readDiscovered(result)?.facts,
};
