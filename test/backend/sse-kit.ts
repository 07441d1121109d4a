// A server over HTTP+SSE as bytes, which does what a test says, and links that are opened to it.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type LinkOptions, openLink } from "../../lib/backend/connect.ts";
import { Eras } from "../../lib/backend/eras.ts";
import type { Link, LinkPeer } from "../../lib/backend/link.ts";
import { type BackendPlan, backendDefaults, type HttpReplicaPlan } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { Scope } from "../../lib/core/scope.ts";
import { decodeText } from "../../lib/core/text.ts";
import { legacyCodec, sharedClientCapabilities } from "../../lib/protocol/legacy.ts";
import { request, TestCaller } from "./link-kit.ts";
import { type RawServer, serveRaw } from "./raw-server.ts";

type Message = Readonly<Record<string, unknown>>;

export interface Post {
  readonly path: string;
  readonly head: string;
  readonly message: Message;
  readonly socket: Socket;
  /** Writes on the newest stream. */
  readonly say: (text: string) => void;
}

interface Oddities {
  /** What the endpoint event says; ORIGIN and HOST stand for those of the server. */
  readonly endpoint?: string;
  /** All that comes first on the stream, instead of the endpoint. */
  readonly first?: string;
  /** The answer to a POST to the address of the stream. */
  readonly refusal?: string;
  /** The answer to the GET, instead of a stream; undefined from it = no answer at all. */
  readonly get?: (path: string) => string | undefined;
  /** True where the test has answered a POST itself. */
  readonly onPost?: (post: Post) => boolean;
}

export interface SseServer extends AsyncDisposable {
  readonly raw: RawServer;
  readonly url: string;
  /** Method, path and name of every message in order. */
  readonly log: string[];
  readonly posts: Post[];
  readonly heads: string[];
  readonly streams: Socket[];
}

export const streamHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
export const event = (message: unknown): string => `event: message\ndata: ${JSON.stringify(message)}\n\n`;
export const accepted = "HTTP/1.1 202 Accepted\r\ncontent-length: 8\r\n\r\nAccepted";

export function plain(status: string, body: string = "", type: string = "text/plain"): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export async function serveSse(oddities: Oddities = {}, socketPath?: string): Promise<SseServer> {
  const { endpoint = "/messages?id=1", first = `event: endpoint\ndata: ${endpoint}\n\n` } = oddities;
  const { refusal = plain("405 Method Not Allowed"), get, onPost } = oddities;
  const streams: Socket[] = [];
  const [log, posts, heads]: [string[], Post[], string[]] = [[], [], []];
  const raw = await serveRaw(
    ({ method, path, head, body }, socket) => {
      heads.push(head);
      if (method === "GET") {
        log.push(`GET ${path}`);
        const odd = get?.(path);
        if (odd !== undefined) return void socket.write(odd);
        streams.push(socket);
        const { origin, host } = raw.origin;
        return void socket.write(streamHead + first.replace("ORIGIN", origin).replace("HOST", host));
      }
      const message = JSON.parse(body.toString("utf8")) as Message;
      log.push(`${method} ${path} ${typeof message["method"] === "string" ? message["method"] : "answer"}`);
      if (path === "/sse") return void socket.write(refusal);
      const say = (text: string): void => void streams.at(-1)?.write(text);
      const post = { path, head, message, socket, say };
      posts.push(post);
      if (onPost?.(post) === true) return;
      socket.write(accepted);
      const result = resultOf(message);
      if (result && message["id"] !== undefined) say(event({ jsonrpc: "2.0", id: message["id"], result }));
    },
    socketPath === undefined ? {} : { socketPath },
  );
  const url = socketPath === undefined ? new URL("/sse", raw.origin).href : `unix:${socketPath}:/sse`;
  return { raw, url, log, posts, heads, streams, [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose]() };
}

function resultOf({ method, params }: Message): Message | undefined {
  if (method === "initialize")
    return { protocolVersion: "2024-11-05", capabilities: {}, serverInfo: { name: "old", version: "1" }, params };
  return method === "ping" ? {} : undefined;
}

export interface Opened extends AsyncDisposable {
  readonly link: Link;
  readonly notified: readonly string[];
  readonly warnings: readonly string[];
}

export async function openTo(
  url: string,
  more: Partial<HttpReplicaPlan> = {},
  plan: Partial<BackendPlan> & { readonly eras?: Eras; readonly maxMessageBytes?: number } = {},
): Promise<Opened> {
  const { eras = new Eras(), maxMessageBytes = 2 ** 20, ...rest } = plan;
  const replica: HttpReplicaPlan = { kind: "http", url, headers: {}, ...more };
  const [notified, warnings]: [string[], string[]] = [[], []];
  const nothing = (): void => {};
  const peer: LinkPeer = {
    notified: (_link, { bytes }) => void notified.push(decodeText(bytes)),
    asked: (_link, { bytes }) => void notified.push(decodeText(bytes)),
    strayed: nothing,
    ended: nothing,
  };
  const options: LinkOptions = {
    plan: { ...backendDefaults, name: "b" as BackendName, replicas: [replica], connectMs: 8_000, ...rest },
    owner: "principal:anonymous",
    client: { name: "test", version: "1", capabilities: sharedClientCapabilities },
    codec: legacyCodec,
    maxMessageBytes,
    peer,
    observer: { log: (_level, _source, text) => void warnings.push(text) },
    eras,
  };
  const tracked: Link[] = [];
  using scope = new Scope(undefined, options.plan.connectMs);
  try {
    const link = await openLink(options, options.plan.replicas[0] ?? replica, scope, (each) => void tracked.push(each));
    return { link, notified, warnings, [Symbol.asyncDispose]: () => link.close() };
  } catch (error) {
    await Promise.all(tracked.map((each) => each.close()));
    throw error;
  }
}

export const sse = { transport: "sse" } as const;

export function call(link: Link, id: number = 1, scope: Scope = new Scope()): Promise<string> {
  return link.call(request(String(id)), [], new TestCaller(), scope).then(decodeText);
}

export function failureOf(outcome: unknown): GatewayError {
  assert.ok(outcome instanceof GatewayError, String(outcome));
  return outcome;
}

export const isTool = ({ message }: Post): boolean => message["method"] === "tools/call";
export const answerTo = ({ message }: Post): string =>
  event({ jsonrpc: "2.0", id: message["id"], result: { ok: true } });

/** Answers tool calls as a well-behaved server does. */
export function answering(post: Post): boolean {
  if (!isTool(post)) return false;
  post.socket.write(accepted);
  post.say(answerTo(post));
  return true;
}
