// The clients of the matrix: one interface over the SDK's clients of both lines, in three revisions.
import assert from "node:assert/strict";
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { connectClient } from "../kit/client.ts";
import type { Asked, Target, TestClient } from "../kit/client.ts";
import { connectModern } from "../kit/modern-client.ts";
import type { ModernTestClient } from "../kit/modern-client.ts";
import type { Notice } from "../kit/notices.ts";
import { recordOf, until } from "./kit.ts";

export const revisions = ["2025-03-26", "2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof revisions)[number];

type Fields = Readonly<Record<string, unknown>>;
type Level = "debug" | "warning" | "error";
type Kind = "tools" | "resources" | "resourceTemplates" | "prompts";

export interface CallOptions {
  readonly progressToken?: string;
  readonly signal?: AbortSignal;
}

/** A connected client; `await using` closes it. */
export interface Peer extends AsyncDisposable {
  readonly revision: Revision;
  /** What servers asked, in the order of arrival. */
  readonly asked: readonly Asked[];
  readonly notifications: readonly Notice[];
  list(kind: Kind): Promise<readonly Fields[]>;
  call(tool: string, args?: Fields, options?: CallOptions): Promise<Fields>;
  /** Calls a tool that logs, and wants to hear of this level and what is above it. */
  callAt(level: Level, tool: string, args: Fields): Promise<Fields>;
  read(uri: string): Promise<Fields>;
  prompt(name: string, args?: Readonly<Record<string, string>>): Promise<Fields>;
  complete(prompt: string, argument: string, value: string): Promise<Fields>;
  /** Wants to hear of changes of a resource; the function given takes it back. */
  subscribe(uri: string): Promise<() => Promise<void>>;
  /** Wants to hear of changes of lists, where that must be said. */
  follow(): Promise<() => Promise<void>>;
}

/** Connects a client of this revision, with every capability that the revision has. */
export async function connectPeer(revision: Revision, target: Target): Promise<Peer> {
  switch (revision) {
    case "2025-11-25":
      return oldLine(await connectClient(target));
    case "2025-03-26":
      return newLine(revision, await connectModern(target, { era: "legacy", revision, capabilities: oldCapabilities }));
    case "2026-07-28":
      return newLine(revision, await connectModern(target));
  }
}

/** 2025-03-26 has no elicitation. */
const oldCapabilities = { sampling: {}, roots: { listChanged: true } };

/** The SDK's 1.x client. */
function oldLine(one: TestClient): Peer {
  const { client } = one;
  const call: Peer["call"] = (name, args = {}, { progressToken, signal } = {}) => {
    const _meta = { ...(progressToken !== undefined && { progressToken }) };
    const params = { name, arguments: args, _meta };
    return client.request({ method: "tools/call", params }, ResultSchema, { ...(signal && { signal }) });
  };
  const lists = {
    tools: async () => (await client.listTools()).tools,
    resources: async () => (await client.listResources()).resources,
    resourceTemplates: async () => (await client.listResourceTemplates()).resourceTemplates,
    prompts: async () => (await client.listPrompts()).prompts,
  };
  return {
    revision: "2025-11-25",
    asked: one.asked,
    notifications: one.notifications,
    list: async (kind) => (await lists[kind]()).map(recordOf),
    call,
    callAt: async (level, tool, args) => {
      await client.setLoggingLevel(level);
      return call(tool, args);
    },
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args = {}) => client.getPrompt({ name, arguments: args }),
    complete: async (name, argument, value) =>
      (await client.complete({ ref: { type: "ref/prompt", name }, argument: { name: argument, value } })).completion,
    subscribe: async (uri) => {
      await client.subscribeResource({ uri });
      return async () => void (await client.unsubscribeResource({ uri }));
    },
    follow: () => Promise.resolve(() => Promise.resolve()),
    [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
  };
}

/** The SDK's 2.x client, in either era. */
function newLine(revision: Revision, one: ModernTestClient): Peer {
  const { client } = one;
  assert.equal(client.getNegotiatedProtocolVersion(), revision);
  const isModern = one.era === "modern";
  const lists = {
    tools: async () => (await client.listTools(undefined, fresh)).tools,
    resources: async () => (await client.listResources(undefined, fresh)).resources,
    resourceTemplates: async () => (await client.listResourceTemplates(undefined, fresh)).resourceTemplates,
    prompts: async () => (await client.listPrompts(undefined, fresh)).prompts,
  };
  const listen = async (filter: Parameters<typeof one.listen>[0]): Promise<() => Promise<void>> => {
    const subscription = await one.listen(filter);
    return () => subscription.close();
  };
  return {
    revision,
    asked: one.asked,
    notifications: one.notifications,
    list: async (kind) => (await lists[kind]()).map(recordOf),
    call: (tool, args, options) => one.call(tool, args, options),
    callAt: async (level, tool, args) => {
      if (isModern) return one.call(tool, args, { logLevel: level });
      await client.setLoggingLevel(level);
      return one.call(tool, args);
    },
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args = {}) => client.getPrompt({ name, arguments: { ...args } }),
    complete: async (name, argument, value) =>
      (await client.complete({ ref: { type: "ref/prompt", name }, argument: { name: argument, value } })).completion,
    subscribe: async (uri) => {
      if (isModern) return listen({ resourceSubscriptions: [uri] });
      await client.subscribeResource({ uri });
      return async () => void (await client.unsubscribeResource({ uri }));
    },
    follow: () =>
      isModern
        ? listen({ toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true })
        : Promise.resolve(() => Promise.resolve()),
    [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
  };
}

/** Past the SDK's own cache: the listing is what is tested. */
const fresh = { cacheMode: "refresh" } as const;

/** Does something, and waits for a notification that follows from it. */
export async function hears(
  { notifications }: Peer,
  method: string,
  condition: (params: Fields) => boolean,
  work: () => Promise<unknown>,
): Promise<Notice> {
  const mark = notifications.length;
  await work();
  const find = (): Notice | undefined =>
    notifications.slice(mark).find((one) => one.method === method && condition(one.params ?? {}));
  await until(() => find() !== undefined, `no ${method}; got ${JSON.stringify(notifications.slice(mark))}`);
  return find() ?? { method };
}
