// A router over real links to the peers of a test, and clients that are nothing but a session and what it was sent.
import { Backend } from "../../lib/backend/backend.ts";
import { drain, nextTopology } from "../../lib/backend/registry.ts";
import { type BackendPlan, backendDefaults, defaultPlan, type Plan } from "../../lib/config/plan.ts";
import { scan } from "../../lib/core/envelope.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { silentObserver } from "../../lib/core/observer.ts";
import { Scope } from "../../lib/core/scope.ts";
import { decodeText, encodeJson } from "../../lib/core/text.ts";
import * as filter from "../../lib/merge/filter.ts";
import * as policy from "../../lib/merge/policy.ts";
import * as rules from "../../lib/merge/rules.ts";
import { legacyCodec, sharedClientCapabilities } from "../../lib/protocol/legacy.ts";
import * as finder from "../../lib/route/finder.ts";
import { Hub } from "../../lib/route/hub.ts";
import { Router } from "../../lib/route/router.ts";
import type { Outlet } from "../../lib/route/outlet.ts";
import type { Session } from "../../lib/route/session.ts";
import type { Message } from "./peer.ts";

export function planOf(name: string, url: string, more: Partial<BackendPlan> = {}): BackendPlan {
  return {
    ...backendDefaults,
    name: name as BackendName,
    replicas: [{ kind: "http", url, headers: {} }],
    connectMs: 5_000,
    ...more,
  };
}

export class TestNet implements AsyncDisposable {
  readonly hub: Hub;
  readonly router: Router;

  constructor(backends: readonly BackendPlan[], more: Partial<Plan> = {}) {
    const plan: Plan = { ...defaultPlan(backends), ...more };
    this.hub = new Hub(plan, silentObserver);
    this.router = new Router(this.hub);
    this.apply(plan);
  }

  apply(plan: Plan): void {
    const change = nextTopology(this.hub.topology, plan.backends, (backend) => this.#create(backend));
    this.hub.replace(plan, change.topology, { filter, finder, policy, rules });
    for (const backend of change.removed) this.router.listings.forget(backend);
    void drain(change.removed, 1_000);
  }

  #create(plan: BackendPlan): Backend {
    const client = { name: "test", version: "1", capabilities: sharedClientCapabilities };
    const options = {
      plan,
      client,
      codec: legacyCodec,
      maxMessageBytes: 2 ** 20,
      peer: this.router,
      observer: silentObserver,
    };
    return new Backend(options, {
      up: (backend, link, _replica, isLead) => this.router.connected(backend, link, isLead),
      down: (backend) => this.router.disconnected(backend),
      leads: (backend, link) => this.router.connected(backend, link, true),
    });
  }

  client(
    capabilities: Readonly<Record<string, unknown>> = {},
    view: string = "",
    principal: string = "anonymous",
  ): TestClient {
    return new TestClient(this, capabilities, view, principal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of [...this.hub.sessions.all()]) this.hub.sessions.end(session);
    await drain([...this.hub.topology.values()], 0);
  }
}

export class TestClient implements Outlet {
  readonly #net: TestNet;
  readonly session: Session;
  readonly connected = true;
  /** What came outside of calls. */
  readonly heard: Message[] = [];
  /** What came on the stream of a call. */
  readonly streamed: Message[] = [];
  readonly #waiting = new Set<() => void>();
  #lastId = 0;

  constructor(net: TestNet, capabilities: Readonly<Record<string, unknown>>, viewName: string, principal: string) {
    this.#net = net;
    const view = net.hub.view(viewName);
    if (!view) throw new Error(`no view ${viewName}`);
    const facts = {
      principal,
      version: "2025-11-25",
      capabilities,
      client: "test",
      view,
      era: "legacy" as const,
    };
    this.session = net.hub.sessions.create(facts, this, { sessions: 100, idleMs: 60_000 });
    net.router.prepare(this.session);
  }

  send(bytes: Uint8Array): void {
    this.#take(this.heard, bytes);
  }
  close(): void {}

  #take(list: Message[], bytes: Uint8Array): void {
    list.push(JSON.parse(decodeText(bytes)) as Message);
    for (const check of this.#waiting) check();
  }

  /** Calls; resolves to the reply, or undefined where the call was taken back. */
  async request(
    method: string,
    params: object = {},
    scope: Scope = new Scope(),
    id: number = (this.#lastId += 1),
    query: string = "",
  ): Promise<Message | undefined> {
    const scanned = scan(encodeJson({ jsonrpc: "2.0", id, method, params }));
    if (scanned.kind !== "message") throw new Error("no message");
    // One for each request, as the fronts do: those of a batch share only its parent.
    using own = new Scope(scope);
    const port = { query, deliver: (bytes: Uint8Array): void => this.#take(this.streamed, bytes) };
    const reply = await this.#net.router.request(this.session, scanned.envelope, own, port);
    return reply && (JSON.parse(decodeText(reply)) as Message);
  }

  async result(method: string, params: object = {}, query: string = ""): Promise<Record<string, unknown>> {
    const reply = await this.request(method, params, new Scope(), undefined, query);
    if (reply?.result === undefined) throw new Error(`${method} failed: ${JSON.stringify(reply)}`);
    return reply.result as Record<string, unknown>;
  }

  /** A notification, or an answer to what a backend asked. */
  say(message: object): void {
    const scanned = scan(encodeJson({ jsonrpc: "2.0", ...message }));
    if (scanned.kind !== "message") throw new Error("no message");
    if (scanned.envelope.kind === "response") this.#net.router.response(this.session, scanned.envelope);
    else this.#net.router.notification(this.session, scanned.envelope);
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new Error(`not within 5 s; heard ${JSON.stringify([this.heard, this.streamed])}`));
      const timer = setTimeout(late, 5_000);
      const check = (): void => {
        if (!holds()) return;
        this.#waiting.delete(check);
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}
