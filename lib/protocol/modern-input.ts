// Multi round-trip requests: `input_required` results and the retries that answer them, as bytes.

import { type Edit, type Envelope, spanText } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Span } from "../core/json.ts";
import { asRecord, isRecord } from "../core/text.ts";
import { type Entry, entry, fieldsOf, findField, isObjectAt, objectOf, valueAt } from "./fields.ts";
import { metaKeys, paramsEdits } from "./modern-meta.ts";

/** Methods of the requests that a server may ask input by, in both eras. */
export type AskMethod = "elicitation/create" | "sampling/createMessage" | "roots/list";

const askMethods: readonly AskMethod[] = ["elicitation/create", "sampling/createMessage", "roots/list"];

/** One request for input, under the name that the server gave it. */
export interface InputRequest {
  readonly key: string;
  readonly method: AskMethod;
  /** The params as JSON; undefined where there are none. */
  readonly params: Uint8Array | undefined;
}

/** What an `input_required` result says. */
export interface InputRequired {
  readonly requests: readonly InputRequest[];
  /** The state as JSON, its quotes with it: a retry carries exactly these bytes. */
  readonly state: Uint8Array | undefined;
}

/** Reads the result of a reply whose `resultType` is `input_required`; an error where it is not a valid one. */
export function readInputRequired(reply: Envelope): InputRequired | GatewayError {
  const { bytes, spans } = reply;
  const result = spans.result ?? { start: 0, end: 0 };
  const requests: InputRequest[] = [];
  const asked = findField(bytes, result, "inputRequests");
  if (asked && !isObjectAt(bytes, asked) && valueAt(bytes, asked) !== null)
    return badInput("inputRequests is no object");
  for (const { name, value } of asked ? fieldsOf(bytes, asked) : []) {
    const request = readRequest(bytes, name, value);
    if (!request) return badInput(`input request ${JSON.stringify(name.slice(0, 80))} is of no kind that is known`);
    requests.push(request);
  }
  const state = findField(bytes, result, "requestState");
  const hasState = state !== undefined && typeof valueAt(bytes, state) === "string";
  if (requests.length === 0 && !hasState) return badInput("there is neither an input request nor a state");
  return { requests, state: hasState ? copyOf(bytes, state) : undefined };
}

function readRequest(bytes: Uint8Array, key: string, span: Span): InputRequest | undefined {
  const named = findField(bytes, span, "method");
  const name = named && valueAt(bytes, named);
  const method = askMethods.find((each) => each === name);
  const params = findField(bytes, span, "params");
  if (!method || (params && !isObjectAt(bytes, params)) || (!params && method !== "roots/list")) return undefined;
  return { key, method, params: params && copyOf(bytes, params) };
}

/** Not slice(): that of a Buffer is a view, which would keep the whole reply. */
function copyOf(bytes: Uint8Array, { start, end }: Span): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

function badInput(what: string): GatewayError {
  return new GatewayError("badProtocol", `the server asked for input in a way that is not valid: ${what}`);
}

/** An `input_required` result. `state` is the text of `requestState`; a result without one asks for something. */
export function inputRequiredResult(
  requests: readonly InputRequest[],
  state: string | undefined,
  serverInfo?: Readonly<Record<string, unknown>>,
): Uint8Array {
  const asked = requests.map(({ key, method, params }): Entry => {
    const members: Entry[] = [entry("method", method), ...(params ? [["params", params] as const] : [])];
    return [key, objectOf(members)];
  });
  return objectOf([
    entry("resultType", "input_required"),
    ...(asked.length > 0 ? [["inputRequests", objectOf(asked)] as const] : []),
    ...(state === undefined ? [] : [entry("requestState", state)]),
    ...(serverInfo ? [entry("_meta", { [metaKeys.serverInfo]: serverInfo })] : []),
  ]);
}

/** What a client's retry brings. */
export interface InputRetry {
  /** The text of `requestState`. */
  readonly state: string | undefined;
  /** Results by the key of their request, as JSON objects; views of the request. */
  readonly responses: ReadonlyMap<string, Uint8Array>;
}

/** The `inputResponses` and the `requestState` of a request; an error where they are not what they must be. */
export function readInputRetry(request: Envelope): InputRetry | GatewayError {
  const { bytes, spans } = request;
  const { "params.inputResponses": given, "params.requestState": held } = spans;
  const state = spanText(request, "params.requestState");
  if (held && state === undefined) return badRetry("requestState must be a string");
  if (given && !isObjectAt(bytes, given)) return badRetry("inputResponses must be an object");
  const responses = new Map<string, Uint8Array>();
  for (const { name, value } of given ? fieldsOf(bytes, given) : []) {
    if (!isObjectAt(bytes, value))
      return badRetry(`input response ${JSON.stringify(name.slice(0, 80))} must be an object`);
    responses.set(name, bytes.subarray(value.start, value.end));
  }
  return { state, responses };
}

function badRetry(message: string): GatewayError {
  return new GatewayError("invalidParams", message);
}

const retryKeys: readonly string[] = ["inputResponses", "requestState"];

/**
 * Edits that make the retry of a request: `state` as {@link readInputRequired} gave it, and the results as JSON by
 * their keys. The caller gives the retry an id of its own.
 */
export function retryEdits(
  request: Envelope,
  responses: readonly Entry[],
  state: Uint8Array | undefined,
): readonly Edit[] {
  const set: Entry[] = [];
  if (responses.length > 0) set.push(["inputResponses", objectOf(responses)]);
  if (state) set.push(["requestState", state]);
  return paramsEdits(request, { drop: retryKeys, set });
}

/** Edits that take out what only a retry has. */
export function withoutRetryEdits(request: Envelope): readonly Edit[] {
  return paramsEdits(request, { drop: retryKeys });
}

/** The capabilities that a client needs for a request for input, as it would declare them. */
export function neededCapability(method: AskMethod, params: unknown): Readonly<Record<string, unknown>> {
  const { mode, tools, toolChoice } = asRecord(params);
  switch (method) {
    case "roots/list":
      return { roots: {} };
    case "sampling/createMessage":
      return { sampling: tools === undefined && toolChoice === undefined ? {} : { tools: {} } };
    case "elicitation/create":
      return { elicitation: mode === "url" ? { url: {} } : { form: {} } };
  }
}

/** What of `needed` a client did not declare; undefined where it declared it all. */
export function lackedCapability(
  declared: Readonly<Record<string, unknown>>,
  needed: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const lacked = Object.entries(needed).filter(([name, inner]) => {
    const own = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (!isRecord(own)) return true;
    // No mode at all means form (2026-07-28, Elicitation, "Capabilities").
    if (name === "elicitation" && own["url"] === undefined) return Object.hasOwn(asRecord(inner), "url");
    return Object.keys(asRecord(inner)).some((key) => !isRecord(own[key]));
  });
  return lacked.length > 0 ? Object.fromEntries(lacked) : undefined;
}
