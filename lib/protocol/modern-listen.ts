// subscriptions/listen: its filter, and the messages that open and close the stream.

import { type Edit, type Envelope, spanText, spanValue } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { asRecord, encodeJson, isRecord } from "../core/text.ts";
import { type Entry, entry, objectOf } from "./fields.ts";
import { metaKeys, paramsEdits } from "./modern-meta.ts";

/** Which changes a listener wants to hear of; what the gateway does not know is asked of nobody. */
export interface ListenFilter {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  /** URIs of single resources. */
  readonly uris: readonly string[];
  /** Tasks by their id, of the Tasks extension. */
  readonly tasks: readonly string[];
}

export const emptyFilter: ListenFilter = { tools: false, prompts: false, resources: false, uris: [], tasks: [] };

/** More would make one request hold a large part of a link. */
const maxNames = 10_000;

/** The filter of a subscriptions/listen request; an error where it is not one. */
export function readListenFilter(request: Envelope): ListenFilter | GatewayError {
  const asked = spanValue(request, "params.notifications");
  if (!isRecord(asked)) return badFilter("params.notifications must be an object");
  const flags = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];
  const wrong = flags.find((name) => asked[name] !== undefined && typeof asked[name] !== "boolean");
  if (wrong !== undefined) return badFilter(`params.notifications.${wrong} must be true or false`);
  for (const name of ["resourceSubscriptions", "taskIds"]) {
    const list = asked[name];
    if (list === undefined) continue;
    if (!Array.isArray(list) || list.some((each) => typeof each !== "string")) {
      return badFilter(`params.notifications.${name} must be a list of strings`);
    }
    if (list.length > maxNames) return badFilter(`params.notifications.${name} may hold ${maxNames} entries`);
  }
  return filterOf(asked);
}

function badFilter(message: string): GatewayError {
  return new GatewayError("invalidParams", message);
}

function filterOf(asked: Readonly<Record<string, unknown>>): ListenFilter {
  return {
    tools: asked["toolsListChanged"] === true,
    prompts: asked["promptsListChanged"] === true,
    resources: asked["resourcesListChanged"] === true,
    uris: textsIn(asked["resourceSubscriptions"]),
    tasks: textsIn(asked["taskIds"]),
  };
}

function textsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? [...new Set(list.filter((each) => typeof each === "string"))] : [];
}

/** The filter as a `notifications` member says it: what is not wanted is left out. */
export function filterJson({
  tools,
  prompts,
  resources,
  uris,
  tasks,
}: ListenFilter): Readonly<Record<string, unknown>> {
  return {
    ...(tools ? { toolsListChanged: true } : {}),
    ...(prompts ? { promptsListChanged: true } : {}),
    ...(resources ? { resourcesListChanged: true } : {}),
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
    ...(tasks.length > 0 ? { taskIds: tasks } : {}),
  };
}

/** The part of a filter that a server with these capabilities can honour. */
export function honouredFilter(filter: ListenFilter, capabilities: Readonly<Record<string, unknown>>): ListenFilter {
  const has = (name: string, flag: string): boolean => asRecord(capabilities[name])[flag] === true;
  const { extensions } = capabilities;
  return {
    tools: filter.tools && has("tools", "listChanged"),
    prompts: filter.prompts && has("prompts", "listChanged"),
    resources: filter.resources && has("resources", "listChanged"),
    uris: has("resources", "subscribe") ? filter.uris : [],
    tasks: isRecord(asRecord(extensions)["io.modelcontextprotocol/tasks"]) ? filter.tasks : [],
  };
}

/** One filter that hears what any of them wants to hear. */
export function unionFilter(filters: readonly ListenFilter[]): ListenFilter {
  return {
    tools: filters.some(({ tools }) => tools),
    prompts: filters.some(({ prompts }) => prompts),
    resources: filters.some(({ resources }) => resources),
    uris: [...new Set(filters.flatMap(({ uris }) => uris))],
    tasks: [...new Set(filters.flatMap(({ tasks }) => tasks))],
  };
}

/** Whether a listener wants a notification; of resources only by exact URI, sub-resources are the caller's to find. */
export function wantsNotification(filter: ListenFilter, notification: Envelope): boolean {
  switch (notification.method) {
    case "notifications/tools/list_changed":
      return filter.tools;
    case "notifications/prompts/list_changed":
      return filter.prompts;
    case "notifications/resources/list_changed":
      return filter.resources;
    case "notifications/resources/updated":
      return filter.uris.includes(spanText(notification, "params.uri") ?? "");
    case "notifications/tasks":
      return filter.tasks.includes(spanText(notification, "params.taskId") ?? "");
    case undefined:
    default:
      return false;
  }
}

/** The notification that opens a stream; `id` is the raw id of the listen request. */
export function acknowledgement(id: Uint8Array, honoured: ListenFilter): Uint8Array {
  const params: Entry[] = [tagOf(id), entry("notifications", filterJson(honoured))];
  return objectOf([
    entry("jsonrpc", "2.0"),
    entry("method", "notifications/subscriptions/acknowledged"),
    ["params", objectOf(params)],
  ]);
}

/** The filter of a notification that opens a stream; undefined for any other notification. */
export function readAcknowledgement(notification: Envelope): ListenFilter | undefined {
  if (notification.method !== "notifications/subscriptions/acknowledged") return undefined;
  return filterOf(asRecord(spanValue(notification, "params.notifications")));
}

/** The result of a listen request whose stream the server ends. */
export function closedResult(id: Uint8Array, serverInfo: Readonly<Record<string, unknown>>): Uint8Array {
  const meta: Entry[] = [
    [metaKeys.subscriptionId, id],
    [metaKeys.serverInfo, encodeJson(serverInfo)],
  ];
  return objectOf([entry("resultType", "complete"), ["_meta", objectOf(meta)]]);
}

function tagOf(id: Uint8Array): Entry {
  return ["_meta", objectOf([[metaKeys.subscriptionId, id]])];
}

/** Edits that tag a notification for the stream of the listen request with this raw id, in the place of another tag. */
export function tagEdits(notification: Envelope, id: Uint8Array): readonly Edit[] {
  return paramsEdits(notification, { meta: { set: [[metaKeys.subscriptionId, id]] } });
}

/** Edits that take the tag off. */
export function untagEdits(notification: Envelope): readonly Edit[] {
  return paramsEdits(notification, { meta: { drop: [metaKeys.subscriptionId] } });
}

/** The tag of a notification, parsed: a string or a number; undefined where it has none. */
export function subscriptionIdOf(notification: Envelope): unknown {
  return asRecord(spanValue(notification, "params._meta"))[metaKeys.subscriptionId];
}
