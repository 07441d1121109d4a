// Answers of the modern fixture server that the SDK cannot give: tasks, and results outside its schemas.
import {
  CLIENT_CAPABILITIES_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SUBSCRIPTION_ID_META_KEY,
} from "@modelcontextprotocol/server";
import type { JSONRPCNotification } from "@modelcontextprotocol/server";
import type { Result } from "@modelcontextprotocol/sdk/types.js";
import { plainTools } from "./fixture-plain-tools.ts";
import { recordOf } from "./fixture-world.ts";
import type { Arguments } from "./fixture-world.ts";
import { questionsFirst, tasksExtension, type TaskStore } from "./modern-tasks.ts";
import type { ModernWorld } from "./modern-world.ts";

/** A request of the modern era, taken apart. */
export interface ModernRequest {
  readonly id: string | number;
  readonly method: string;
  /** What the `Mcp-Name` header must say. */
  readonly name: string | undefined;
  readonly params: Arguments;
  readonly hasTasks: boolean;
}

/** The rest of an answer: its result or its error. */
export type Answer =
  | { readonly result: Result }
  | { readonly error: { code: number; message: string; data?: unknown } };

/** What a body is if it is a request that claims the modern era. */
export function readModern(body: unknown): ModernRequest | undefined {
  const { id, method, params } = recordOf(body);
  const { _meta: meta, name, uri, taskId, ...rest } = recordOf(params);
  const { [PROTOCOL_VERSION_META_KEY]: version, [CLIENT_CAPABILITIES_META_KEY]: capabilities } = recordOf(meta);
  if (typeof method !== "string" || version === undefined) return undefined;
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  const named = [name, uri, taskId].find((value) => typeof value === "string");
  return {
    id,
    method,
    name: typeof named === "string" ? named : undefined,
    params: rest,
    hasTasks: recordOf(recordOf(capabilities)["extensions"])[tasksExtension] !== undefined,
  };
}

/** The answer, if this request is not one for the SDK. */
export function answerByHand(world: ModernWorld, tasks: TaskStore, request: ModernRequest): Answer | undefined {
  const { method, name = "", params, hasTasks } = request;
  if (method === "tools/call" && name === "raw") return { result: rawResult(world) };
  if (method === "tools/call" && hasTasks && tasks.has(name)) return { result: startTask(tasks, name, params) };
  if (method !== "tasks/get" && method !== "tasks/update" && method !== "tasks/cancel") return undefined;
  if (!hasTasks) {
    const data = { requiredCapabilities: { extensions: { [tasksExtension]: {} } } };
    return { error: { code: -32021, message: `The client must declare ${tasksExtension}`, data } };
  }
  const result = callTask(tasks, method, name, params);
  return result === undefined ? { error: { code: -32602, message: `Unknown task: ${name}` } } : { result };
}

/** The tasks that a `subscriptions/listen` asks for, if it does. */
export function listenedTasks({ method, params, hasTasks }: ModernRequest): readonly unknown[] | undefined {
  const taskIds = recordOf(params["notifications"])["taskIds"];
  return method === "subscriptions/listen" && hasTasks && Array.isArray(taskIds) ? taskIds : undefined;
}

/** Sends the acknowledgement and every change of these tasks, until the function it returns is called. */
export function listenToTasks(
  tasks: TaskStore,
  id: ModernRequest["id"],
  taskIds: readonly unknown[],
  send: (notification: JSONRPCNotification) => void,
): () => void {
  const _meta = { [SUBSCRIPTION_ID_META_KEY]: id };
  const known = taskIds.filter((taskId) => typeof taskId === "string" && tasks.get(taskId) !== undefined);
  const tell = (taskId: string): void => {
    const { resultType: _, ...task } = tasks.get(taskId) ?? {};
    if (known.includes(taskId)) send({ jsonrpc: "2.0", method: "notifications/tasks", params: { ...task, _meta } });
  };
  const params = { notifications: { taskIds: known }, _meta };
  send({ jsonrpc: "2.0", method: "notifications/subscriptions/acknowledged", params });
  tasks.events.on("changed", tell);
  return () => {
    tasks.events.off("changed", tell);
  };
}

function rawResult(world: ModernWorld): Result {
  const raw = plainTools.find(({ tool }) => tool.name === "raw");
  const result = raw?.run({ args: {}, world });
  if (result === undefined || result instanceof Promise) throw new Error("the tool raw answers at once");
  return { ...result, resultType: "complete" };
}

function startTask(tasks: TaskStore, name: string, params: Arguments): Result {
  const questions = questionsFirst[name];
  const responses = recordOf(params["inputResponses"]);
  if (questions !== undefined && Object.keys(questions).some((key) => !(key in responses)))
    return { resultType: "input_required", inputRequests: questions };
  return tasks.start(name, { ...recordOf(params["arguments"]), ...responses });
}

function callTask(tasks: TaskStore, method: string, taskId: string, params: Arguments): Result | undefined {
  if (method === "tasks/get") return tasks.get(taskId);
  const isKnown =
    method === "tasks/cancel" ? tasks.cancel(taskId) : tasks.update(taskId, recordOf(params["inputResponses"]));
  return isKnown ? { resultType: "complete" } : undefined;
}
