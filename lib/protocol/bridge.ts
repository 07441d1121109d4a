// Requests, results and notifications between the eras, as edits of their bytes; where the eras agree there is none.

import { type Edit, type Envelope, spanText } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { encodeText, joinBytes } from "../core/text.ts";
import { changeEdits, type Change, type Entry, entry, findField, isObjectAt, valueAt } from "./fields.ts";
import { logLevels } from "./legacy.ts";
import { cacheHints, isTtl, noCache, type CacheHint } from "./modern-cache.ts";
import { isCacheable, mayNeedInput, modernCodec, modernServerNotifications } from "./modern.ts";
import { metaKeys, paramsEdits, requestKeys, requestMetaEdits } from "./modern-meta.ts";
import { untagEdits } from "./modern-listen.ts";

/** Requests that both eras have, and in which they differ by metadata alone. */
export function isShared(method: string): boolean {
  return modernCodec.requests.has(method) && !isModernOnly(method);
}

/** The tasks methods are here too: those of the legacy era mean other tasks. */
function isModernOnly(method: string): boolean {
  return method === "server/discover" || method === "subscriptions/listen" || method.startsWith("tasks/");
}

/** A legacy client's request for a modern backend; `meta` of `requestMeta`. */
export function modernRequestEdits(request: Envelope, meta: readonly Entry[]): readonly Edit[] {
  return requestMetaEdits(request, meta);
}

/** A modern client's request for a legacy backend. */
export function legacyRequestEdits(request: Envelope): readonly Edit[] {
  const { method = "" } = request;
  const retry = mayNeedInput(method) ? ["inputResponses", "requestState"] : [];
  // What the legacy era would make a task of it by: the modern one has tasks without a wish of the client.
  const task = method === "tools/call" ? ["task"] : [];
  return paramsEdits(request, { drop: [...retry, ...task], meta: { drop: requestKeys } });
}

/** What the result of a legacy backend does not say itself. */
export interface ModernResultOptions {
  readonly cache?: CacheHint;
  readonly serverInfo?: Readonly<Record<string, unknown>> | undefined;
}

/** A legacy backend's result for a modern client. What the result says of itself, and rightly, stays. */
export function modernResultEdits(reply: Envelope, method: string, options: ModernResultOptions = {}): readonly Edit[] {
  const { bytes, spans } = reply;
  if (!spans.result) return [];
  const { ttlMs, cacheScope } = options.cache ?? noCache;
  const set: Entry[] = [entry("resultType", "complete")];
  if (isCacheable(method)) {
    const ttl = findField(bytes, spans.result, "ttlMs");
    const scope = findField(bytes, spans.result, "cacheScope");
    if (!ttl || !isTtl(valueAt(bytes, ttl))) set.push(entry("ttlMs", ttlMs));
    if (!scope || !isScope(valueAt(bytes, scope))) set.push(entry("cacheScope", cacheScope));
  }
  const named = spans["result._meta"] && findField(bytes, spans["result._meta"], metaKeys.serverInfo);
  const identity: Change =
    options.serverInfo && !named ? { meta: { set: [entry(metaKeys.serverInfo, options.serverInfo)] } } : {};
  return changeEdits(bytes, spans.result, { set, ...identity });
}

function isScope(value: unknown): boolean {
  return value === "public" || value === "private";
}

/** What a modern backend's result is, by its `resultType` and the method that it answers. */
export type ResultKind =
  | { readonly kind: "complete" }
  | { readonly kind: "inputRequired" }
  /** Of the Tasks extension: in the place of the result of a tools/call. */
  | { readonly kind: "task" }
  | { readonly kind: "invalid"; readonly error: GatewayError };

/** Judges a reply that has a result; one without `resultType` is complete, as drafts and legacy servers mean it. */
export function resultKind(reply: Envelope, method: string): ResultKind {
  const { "result.resultType": span } = reply.spans;
  const type = span ? spanText(reply, "result.resultType") : "complete";
  if (type === "complete") return { kind: "complete" };
  if (type === "input_required" && mayNeedInput(method)) return { kind: "inputRequired" };
  if (type === "task" && method === "tools/call") return { kind: "task" };
  const shown = JSON.stringify(type?.slice(0, 40) ?? "no text");
  const error = new GatewayError("badProtocol", `the server answered ${method} with resultType ${shown}`);
  return { kind: "invalid", error };
}

/** What a modern backend's reply lacks for modern clients: servers of drafts leave the type out. */
export function completeEdits({ bytes, spans }: Envelope): readonly Edit[] {
  if (!spans.result || spans["result.resultType"]) return [];
  return changeEdits(bytes, spans.result, { set: [entry("resultType", "complete")] });
}

/** Whether a reply says that the request failed, as an error or as a result with `isError`. */
export function isErrorResult(reply: Envelope): boolean {
  const { bytes, spans } = reply;
  if (!spans.result) return true;
  const flag = findField(bytes, spans.result, "isError");
  return flag !== undefined && valueAt(bytes, flag) === true;
}

/** For whom a modern backend's result is changed. */
export interface LegacyResultOptions {
  /** The tool's output schema was wrapped for legacy clients, and so must be its structured content. */
  readonly wraps?: boolean;
  /** What the result says of caching stays: it is the gateway that wants to know. */
  readonly keepsHints?: boolean;
}

/** A modern backend's complete result for a legacy client. */
export function legacyResultEdits(
  reply: Envelope,
  method: string,
  { wraps = false, keepsHints = false }: LegacyResultOptions = {},
): readonly Edit[] {
  const { bytes, spans } = reply;
  if (!spans.result) return [];
  const drop = ["resultType", ...(isCacheable(method) && !keepsHints ? cacheHints : [])];
  const edits = changeEdits(bytes, spans.result, { drop, meta: { drop: [metaKeys.serverInfo] } });
  if (method !== "tools/call") return edits;
  const content = findField(bytes, spans.result, "structuredContent");
  // 2025-11-25 has objects only; clients of it refuse anything else.
  if (!content || (isObjectAt(bytes, content) && !wraps)) return edits;
  const wrapped = [encodeText('{"result":'), bytes.subarray(content.start, content.end), encodeText("}")];
  return [{ span: content, bytes: joinBytes(wrapped) }, ...edits];
}

/** A backend's notification for a client of the other era: how to change it, or that this era has no such thing. */
export type NotificationFate = { readonly kind: "pass"; readonly edits: readonly Edit[] } | { readonly kind: "drop" };

const drop: NotificationFate = { kind: "drop" };

/**
 * A modern backend's notification for a legacy client. Those of a listen stream lose their tag; what opens or closes
 * such a stream is the gateway's business.
 */
export function legacyNotification(notification: Envelope): NotificationFate {
  switch (notification.method) {
    case "notifications/subscriptions/acknowledged":
    case "notifications/cancelled":
    case "notifications/tasks":
      return drop;
    case undefined:
    default:
      return { kind: "pass", edits: untagEdits(notification) };
  }
}

/** A legacy backend's notification that belongs to a modern client's call; `logLevel` as the request named it. */
export function modernCallNotification(notification: Envelope, logLevel: string | undefined): NotificationFate {
  switch (notification.method) {
    case "notifications/progress":
      return { kind: "pass", edits: [] };
    case "notifications/message":
      return passesLevel(spanText(notification, "params.level"), logLevel) ? { kind: "pass", edits: [] } : drop;
    case undefined:
    default:
      // Change notifications go to listen streams, and those that are unknown may be of an extension.
      return isLegacyOnly(notification.method) || modernServerNotifications.has(notification.method ?? "")
        ? drop
        : { kind: "pass", edits: [] };
  }
}

const legacyOnly: ReadonlySet<string> = new Set([
  "notifications/initialized",
  "notifications/roots/list_changed",
  "notifications/elicitation/complete",
  "notifications/tasks/status",
]);

/** Whether the modern era has removed a notification. */
export function isLegacyOnly(method: string | undefined): boolean {
  return method !== undefined && legacyOnly.has(method);
}

/** Whether a log message of `level` may go to a modern request that asked for `least` (2026-07-28, Logging). */
export function passesLevel(level: string | undefined, least: string | undefined): boolean {
  if (least === undefined) return false;
  if (level === undefined || !logLevels.includes(level)) return true;
  return logLevels.indexOf(level) >= logLevels.indexOf(least);
}

/** What a legacy backend is told while modern requests of these levels share its link; undefined where none wants logs. */
export function leastLevel(levels: readonly (string | undefined)[]): string | undefined {
  return logLevels.find((level) => levels.includes(level));
}
