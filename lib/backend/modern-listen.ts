// A listen stream of a modern link: opened for all that its clients want to hear, and anew when that changes or it ends.

import { type Envelope, spanNumber, spanValue } from "../core/envelope.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { notificationMessage } from "../core/rpc.ts";
import { Scope, sleep } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";
import { requestHeaders } from "../protocol/modern-headers.ts";
import {
  emptyFilter,
  filterJson,
  honouredFilter,
  type ListenFilter,
  readAcknowledgement,
  subscriptionIdOf,
} from "../protocol/modern-listen.ts";
import { modernRequestMessage } from "../protocol/modern-meta.ts";
import { tasksCapability } from "../protocol/modern.ts";
import type { ModernRequests } from "./modern-requests.ts";
import type { TransportEvents } from "./transport.ts";

const method = "subscriptions/listen";
const ackMs = 10_000;
const firstDelayMs = 100;
const maxDelayMs = 30_000;
/** A stream that lived this long was no failure. */
const stableMs = 5_000;
const lists = ["tools", "prompts", "resources"] as const;

interface Stream {
  readonly id: number;
  readonly filter: ListenFilter;
  readonly scope: Scope;
  readonly openedAt: number;
  /** Resolves with what the server honours, or why there is no stream. */
  readonly acked: PromiseWithResolvers<ListenFilter | GatewayError>;
  isAcked: boolean;
}

/** What a stream is for: servers that know nothing of the Tasks extension hear nothing of tasks. */
export type Topic = "changes" | "tasks";

interface Waiter {
  /** URI of a resource, or id of a task. */
  readonly name: string;
  readonly settle: (error: GatewayError | undefined) => void;
}

export class ModernListen {
  readonly #requests: ModernRequests;
  readonly #events: TransportEvents;
  readonly #life = new Scope();
  readonly #topic: Topic;
  readonly #names = new Set<string>();
  readonly #waiters = new Set<Waiter>();
  #current: Stream | undefined;
  #opening: Stream | undefined;
  #honoured: ListenFilter | undefined;
  #failures = 0;
  /** Nobody listens, or nobody did: something may have changed. Until the first stream is refused that is not so. */
  #hasGap = false;
  #isRunning = false;

  constructor(requests: ModernRequests, events: TransportEvents, topic: Topic) {
    this.#requests = requests;
    this.#events = events;
    this.#topic = topic;
  }

  /** Whether the server tells of all changes of listings that it can tell of. */
  get hears(): boolean {
    const asked = this.#current?.filter;
    const heard = this.#honoured;
    if (!asked || !heard) return !this.#hasGap;
    return lists.every((list) => heard[list] || !asked[list]);
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#life.cancel();
    this.#settle(closed());
  }

  /** Resolves when the server tells of the resource, or task, of this name; to an error where it does not. */
  subscribe(name: string, scope: Scope): Promise<GatewayError | undefined> {
    this.#names.add(name);
    const asked = new Promise<GatewayError | undefined>((resolve) => {
      this.#waiters.add({ name, settle: resolve });
    });
    void this.#run();
    return scope.race(asked);
  }

  unsubscribe(name: string): void {
    if (this.#names.delete(name)) void this.#run();
  }

  /** Whether something came on a stream of this topic, or names one. */
  owns(notification: Envelope, cause: number | undefined): boolean {
    const tag = subscriptionIdOf(notification) ?? spanNumber(notification, "params.requestId");
    const id = cause ?? tag;
    return [this.#current, this.#opening].some((stream) => stream !== undefined && stream.id === id);
  }

  /** What belongs to a listen stream, by the stream on which it came or its tag. True where it goes to the link. */
  heard(notification: Envelope, cause: number | undefined): boolean {
    const tag = subscriptionIdOf(notification);
    const id = cause ?? (typeof tag === "number" ? tag : undefined);
    const honoured = readAcknowledgement(notification);
    if (honoured) {
      if (this.#opening && this.#opening.id === id) this.#acknowledged(this.#opening, honoured);
      return false;
    }
    if (notification.method === "notifications/cancelled") {
      const ended = spanNumber(notification, "params.requestId");
      for (const stream of [this.#current, this.#opening]) if (stream && stream.id === ended) this.#over(stream);
      return false;
    }
    // While one stream replaces another, both say the same.
    return id === undefined || id === this.#current?.id;
  }

  #wanted(): ListenFilter {
    const names = [...this.#names];
    const everything =
      this.#topic === "tasks"
        ? { ...emptyFilter, tasks: names }
        : { tools: true, prompts: true, resources: true, uris: names, tasks: [] };
    return honouredFilter(everything, this.#requests.facts.capabilities);
  }

  /** Opens streams until the one that is open is the one that is wanted. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (!this.#life.cancelled) {
      const wanted = this.#wanted();
      if (isEmpty(wanted)) this.#drop(this.#current);
      const known = this.#current?.filter ?? emptyFilter;
      if (isSame(known, wanted)) break;
      const failure = await this.#open(wanted);
      if (!failure) continue;
      this.#hasGap ||= !this.#current;
      this.#failures += 1;
      this.#settle(failure);
      // A server without the method has declared what it cannot do; asking again would not help.
      if (failure.code === "unknownMethod" || this.#current) break;
      await sleep(Math.min(firstDelayMs * 2 ** this.#failures, maxDelayMs), this.#life).catch(() => {});
    }
    this.#isRunning = false;
    this.#settle(this.#life.cancelled ? closed() : undefined);
  }

  async #open(filter: ListenFilter): Promise<GatewayError | undefined> {
    const id = this.#requests.newId();
    const acked = Promise.withResolvers<ListenFilter | GatewayError>();
    const stream: Stream = { id, filter, scope: new Scope(this.#life), openedAt: Date.now(), acked, isAcked: false };
    this.#opening = stream;
    const params = { notifications: filterJson(filter) };
    const message = modernRequestMessage(id, method, this.#meta(), params);
    const headers = requestHeaders(this.#requests.facts.version, method, undefined);
    const heard = (reply: Envelope): void => this.#over(stream, errorIn(reply));
    this.#requests.send({ message, id, call: undefined, headers, heard }, stream.scope).then(
      (outcome) => {
        if (outcome === "ended") this.#over(stream);
      },
      (error: unknown) => this.#over(stream, asGatewayError(error)),
    );
    using patience = new Scope(this.#life, ackMs, () => late(this.#requests.facts.backend));
    const answer = await patience.race(acked.promise).catch((error: unknown) => asGatewayError(error));
    this.#opening = undefined;
    if (!(answer instanceof GatewayError)) return undefined;
    this.#drop(stream);
    return answer;
  }

  /** Tasks are told of to clients that know them. */
  #meta(): ReturnType<ModernRequests["metaOf"]> {
    return this.#topic === "tasks" ? this.#requests.metaWith(tasksCapability) : this.#requests.metaOf(undefined);
  }

  #namesIn(filter: ListenFilter | undefined): readonly string[] {
    return (this.#topic === "tasks" ? filter?.tasks : filter?.uris) ?? [];
  }

  /** The new stream is open: the one before is not needed any more. */
  #acknowledged(stream: Stream, honoured: ListenFilter): void {
    const before = this.#current;
    stream.isAcked = true;
    this.#current = stream;
    this.#honoured = honoured;
    this.#drop(before);
    this.#settle(undefined);
    const hadGap = this.#hasGap;
    this.#hasGap = false;
    if (hadGap && this.#topic === "changes") this.#events.missed?.();
    stream.acked.resolve(honoured);
  }

  /** The server, or the wire, has ended a stream. */
  #over(stream: Stream, error: GatewayError = ended(this.#requests.facts.backend)): void {
    stream.acked.resolve(error);
    if (this.#current !== stream) return;
    this.#current = undefined;
    this.#hasGap = true;
    this.#failures = Date.now() - stream.openedAt < stableMs ? this.#failures + 1 : 0;
    if (this.#life.cancelled) return;
    const delayMs = Math.min(firstDelayMs * 2 ** this.#failures, maxDelayMs);
    sleep(delayMs, this.#life).then(
      () => this.#run(),
      () => {},
    );
  }

  /** Closes a stream: over HTTP by ending it, on stdio by a notice (2026-07-28, Cancellation). */
  #drop(stream: Stream | undefined): void {
    if (!stream) return;
    if (this.#current === stream) this.#current = undefined;
    const notice = { requestId: stream.id, reason: "not needed any more" };
    if (this.#requests.facts.kind === "stdio" && !stream.scope.cancelled)
      this.#requests.tell(notificationMessage("notifications/cancelled", notice), this.#life);
    stream.scope.cancel();
  }

  /** Settles the waiters that the open stream answers; all of them with an error. */
  #settle(error: GatewayError | undefined): void {
    for (const waiter of this.#waiters) {
      const { name, settle } = waiter;
      if (!error && !this.#namesIn(this.#current?.filter).includes(name) && this.#isRunning) continue;
      this.#waiters.delete(waiter);
      const isHonoured = this.#namesIn(this.#honoured).includes(name) && this.#current !== undefined;
      if (isHonoured && !error) settle(undefined);
      else {
        this.#names.delete(name);
        settle(error ?? refused(this.#requests.facts.backend, name));
      }
    }
  }
}

function isEmpty({ tools, prompts, resources, uris, tasks }: ListenFilter): boolean {
  return !tools && !prompts && !resources && uris.length === 0 && tasks.length === 0;
}

function isSame(left: ListenFilter, right: ListenFilter): boolean {
  const names = new Set([...right.uris, ...right.tasks]);
  const held = [...left.uris, ...left.tasks];
  return (
    left.tools === right.tools &&
    left.prompts === right.prompts &&
    left.resources === right.resources &&
    held.length === names.size &&
    held.every((name) => names.has(name))
  );
}

function errorIn(reply: Envelope): GatewayError | undefined {
  if (!reply.spans.error) return undefined;
  const { code, message } = asRecord(spanValue(reply, "error"));
  const text = `the server refused ${method}: ${String(message)}`;
  return new GatewayError(code === -32601 ? "unknownMethod" : "badProtocol", text, { data: { sent: true } });
}

function closed(): GatewayError {
  return new GatewayError("draining", "the link was closed", { data: { sent: false } });
}

function ended(backend: string): GatewayError {
  return new GatewayError("lost", `backend "${backend}" ended the listen stream`, { backend, data: { sent: true } });
}

function late(backend: string): GatewayError {
  const text = `backend "${backend}" did not acknowledge ${method} within ${ackMs} ms`;
  return new GatewayError("lost", text, { backend, data: { sent: true } });
}

function refused(backend: string, name: string): GatewayError {
  return new GatewayError("invalidParams", `backend "${backend}" offers no subscription to ${JSON.stringify(name)}`, {
    backend,
  });
}
