// Tasks (2025-11-25): each id leads back to the backend that made it.

import type { Backend } from "../backend/backend.ts";
import { type Envelope, type Span, spanText } from "../core/envelope.ts";
import { asGatewayError, errorTable, GatewayError } from "../core/errors.ts";
import { anonymous } from "../core/principal.ts";
import { resultMessage } from "../core/rpc.ts";
import { Scope } from "../core/scope.ts";
import { encodeText, joinBytes } from "../core/text.ts";
import { keyText, readItems } from "../merge/catalog.ts";
import type { Forwarder } from "./forward.ts";
import { errorCode } from "./reply-code.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall, Session } from "./session.ts";
import type { TaskName } from "./task-owners.ts";

const invalidParams = -32602;
const comma = encodeText(",");

/** A task of a listing, as it came. */
interface Task extends TaskName {
  readonly bytes: Uint8Array;
}

/** How it is going with one that is asked for at each backend. */
interface Search {
  readonly request: Envelope;
  readonly call: ActiveCall;
  readonly id: string;
  refusal: Uint8Array | undefined;
  failure: unknown;
}

/** A backend that was waited for; `up` has settled. */
interface Heard {
  readonly backend: Backend;
  readonly up: Promise<boolean>;
}

export class Tasks {
  readonly #hub: Hub;
  readonly #forwarder: Forwarder;

  constructor(hub: Hub, forwarder: Forwarder) {
    this.#hub = hub;
    this.#forwarder = forwarder;
  }

  /** `tasks/get`, `tasks/result`, `tasks/cancel`. An id that the session did not see is asked for at each backend. */
  async byId(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { session } = call;
    const id = spanText(request, "params.taskId");
    if (id === undefined)
      throw new GatewayError("invalidParams", `${request.method ?? "the request"} needs a string in params.taskId`);
    const owner = this.#hub.backendIn(session.facts.view, session.tasks.get(id) ?? "");
    if (owner) return this.#forwarder.send(request, call, { backend: owner, edits: [] });
    const search: Search = { request, call, id, refusal: undefined, failure: undefined };
    const able = this.#able(session);
    // One that never was up may have it too, and is waited for when the others do not.
    const unheard = this.#hub.backendsOf(session.facts.view).filter(({ facts }) => !facts);
    for (const backend of able) {
      const reply = await this.#ask(backend, search);
      if (reply) return reply;
    }
    const reply = await this.#askAsTheyCome(unheard, search);
    if (reply) return reply;
    if (search.failure !== undefined) throw search.failure;
    if (search.refusal) return search.refusal;
    throw new GatewayError("invalidParams", `unknown task ${JSON.stringify(id)}`);
  }

  /** The answer of a backend that may have the task; `up` resolves to whether it can have any. */
  async #ask(backend: Backend, search: Search, up?: Promise<boolean>): Promise<Uint8Array | undefined> {
    const { request, call, id } = search;
    const { name } = backend.plan;
    try {
      if (!(await (up ?? this.#isOwn(name, id, call.session)))) return undefined;
      const reply = await this.#forwarder.send(request, call, { backend, edits: [] });
      if (errorCode(reply) === undefined) call.session.noteTask(name, id);
      if (errorCode(reply) !== invalidParams) return reply;
      search.refusal ??= reply;
    } catch (error) {
      // One that cannot be asked must not hide the task of another.
      if (call.scope.cancelled) throw error;
      search.failure ??= error;
    }
    return undefined;
  }

  /** All are waited for at once, and asked one by one: those that do not come up must not add up. */
  async #askAsTheyCome(backends: readonly Backend[], search: Search): Promise<Uint8Array | undefined> {
    const { call, id } = search;
    using waiting = new Scope(call.scope);
    const coming = new Map(
      backends.map((backend) => {
        const up = this.#hear(backend, id, call.session, waiting);
        const settled = (): Heard => ({ backend, up });
        return [backend, up.then(settled, settled)] as const;
      }),
    );
    try {
      while (coming.size > 0) {
        const { backend, up } = await Promise.race(coming.values());
        coming.delete(backend);
        const reply = await this.#ask(backend, search, up);
        if (reply) return reply;
      }
      return undefined;
    } finally {
      // Of those that nobody needs any more.
      waiting.cancel();
    }
  }

  /** `tasks/list`: all pages of each backend, merged; with one backend its own pages. */
  async list(request: Envelope, call: ActiveCall, id: Uint8Array): Promise<Uint8Array> {
    const { session } = call;
    const backends = this.#able(session);
    const [only, ...others] = backends;
    if (!only) throw new GatewayError("unknownMethod", "no backend has tasks");
    // Its own pages may hold tasks of others.
    const isAlone = others.length === 0 && call.principal === anonymous.id;
    if (isAlone) return this.#forwarder.send(request, call, { backend: only, edits: [] });
    if (request.spans["params.cursor"]) throw new GatewayError("invalidParams", "unknown cursor");
    const listings = await Promise.all(backends.map((backend) => this.#listOf(backend, session, call.scope)));
    call.scope.throwIfCancelled();
    const found = listings.flatMap((listing) => (listing instanceof GatewayError ? [] : listing));
    const owned = await this.#hub.sessions.taskOwners.findEach(found, session.facts.principal, call.scope);
    call.scope.throwIfCancelled();
    const own = found.filter((task) => owned.get(task) === true);
    for (const { backend, id: task } of own) session.noteTask(backend, task);
    const partial = listings.flatMap((listing, at) => shortfallOf(backends[at]?.plan.name ?? "", listing, owned) ?? []);
    const meta =
      partial.length > 0 ? encodeText(`,"_meta":${JSON.stringify({ "mcpctl/partial": partial })}`) : new Uint8Array();
    const tasks = withCommas(own.map(({ bytes }) => bytes));
    return resultMessage(id, joinBytes([encodeText('{"tasks":['), ...tasks, encodeText("]"), meta, encodeText("}")]));
  }

  async #listOf(backend: Backend, session: Session, scope: Scope): Promise<readonly Task[] | GatewayError> {
    const { pages, items: most } = this.#hub.plan.limits;
    const { name, connectMs } = backend.plan;
    const fail = (why: string): GatewayError =>
      new GatewayError("badProtocol", `tasks/list of backend "${name}" ${why}`, { backend: name });
    using patience = new Scope(scope, connectMs, () => fail(`was not complete after ${connectMs} ms`));
    const tasks: Task[] = [];
    let cursor: string | undefined;
    try {
      const link = await this.#hub.uplinkOf(backend, session).acquire(patience);
      for (let read = 0; read < pages && tasks.length <= most; read += 1) {
        const reply = await link.request("tasks/list", cursor === undefined ? {} : { cursor }, patience);
        const page = readItems("tasks", "taskId", reply);
        if (!page) return fail("holds no list");
        for (const { item, key } of page.items)
          tasks.push({ backend: name, id: keyText(reply, key), bytes: bytesAt(reply, item) });
        if (page.nextCursor === undefined) return tasks;
        cursor = page.nextCursor;
      }
      return fail("does not end");
    } catch (error) {
      return asGatewayError(error);
    }
  }

  async #isOwn(backend: string, id: string, { facts }: Session): Promise<boolean> {
    return await this.#hub.sessions.taskOwners.findOwn(backend, id, facts.principal);
  }

  /** Whether the task may be one of a backend; what that can do is known when it is up. */
  async #hear(backend: Backend, id: string, session: Session, scope: Scope): Promise<boolean> {
    const { name, connectMs } = backend.plan;
    if (!(await this.#isOwn(name, id, session))) return false;
    const late = (): GatewayError =>
      new GatewayError("connectTimeout", `backend "${name}" was not up within ${connectMs} ms`, { backend: name });
    using patience = new Scope(scope, connectMs, late);
    await this.#hub.uplinkOf(backend, session).acquire(patience);
    return hasTasks(backend);
  }

  #able(session: Session): readonly Backend[] {
    return this.#hub.backendsOf(session.facts.view).filter(hasTasks);
  }
}

function hasTasks({ facts }: Backend): boolean {
  return facts?.capabilities["tasks"] !== undefined;
}

/** What a list lacks of one backend. */
function shortfallOf(
  backend: string,
  listing: readonly Task[] | GatewayError,
  owned: ReadonlyMap<Task, boolean | undefined>,
): object | undefined {
  if (listing instanceof GatewayError)
    return { backend, state: "missing", code: listing.row.id, message: listing.message };
  const unknown = listing.filter((task) => owned.get(task) === undefined).length;
  if (unknown === 0) return undefined;
  const message = `the other processes of the gateway cannot be asked whose ${unknown} tasks of backend "${backend}" are`;
  return { backend, state: "incomplete", code: errorTable.ownerUnknown.id, message };
}

function bytesAt(reply: Uint8Array, { start, end }: Span): Uint8Array {
  return reply.subarray(start, end);
}

function withCommas(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  return parts.flatMap((part, at) => (at === 0 ? [part] : [comma, part]));
}
