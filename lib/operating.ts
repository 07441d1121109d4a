// What people and programs ask of the gateway beside MCP: how it is, its page, and to do something. Loaded when asked for.

import type { Controls } from "./admin.ts";
import { GatewayError } from "./core/errors.ts";
import type { Principal } from "./core/principal.ts";
import type { Admin } from "./front/admin.ts";
import type { HttpReply, HttpRequest } from "./front/exchange.ts";
import type { StatusPage } from "./front/page.ts";
import { errorReply } from "./front/reply.ts";
import type { Status } from "./front/status.ts";
import type { Observing } from "./observing.ts";
import type { Hub } from "./route/hub.ts";

const livePath = "/page/live";
const tailPath = "/admin/tail";

export class Operating {
  readonly #hub: Hub;
  readonly #status: Status;
  readonly #observing: Observing | undefined;
  /** Ends the program, where it can be ended. */
  readonly #stop: (() => void) | undefined;
  readonly #controls: Controls;
  #admin: Admin | undefined;
  #page: Promise<StatusPage> | undefined;

  constructor(
    hub: Hub,
    status: Status,
    observing: Observing | undefined,
    stop: (() => void) | undefined,
    controls: Controls,
  ) {
    this.#hub = hub;
    this.#status = status;
    this.#observing = observing;
    this.#stop = stop;
    this.#controls = controls;
  }

  /** Nobody is known where a path is open to strangers. */
  async answer(request: HttpRequest, path: string, who: Principal | undefined): Promise<HttpReply> {
    const nothing = (): GatewayError => new GatewayError("notFound", `there is nothing at ${path.slice(0, 200)}`);
    return (await this.#answer(request, path, who)) ?? errorReply(nothing(), undefined);
  }

  async #answer(request: HttpRequest, path: string, who: Principal | undefined): Promise<HttpReply | undefined> {
    if (who && path.startsWith("/admin/")) {
      const reply = await (await this.#operators()).handle(request, path, who);
      if (reply) return reply;
    }
    const isStranger = !who || !this.#hub.mayWatch(who);
    const of = who && this.#ownOnly(who);
    if (path === livePath && !isStranger) return (await this.#statusPage()).live(request, of);
    const metrics = await this.#observing?.handle(request, path, isStranger);
    return metrics ?? (await this.#status.handle(request, path, isStranger, of));
  }

  /** Whose calls alone somebody is shown; undefined: those of all, where nobody signs in, or a rule says so. */
  #ownOnly(who: Principal): string | undefined {
    const seesAll = this.#hub.plan.auth === undefined || this.#hub.mayOperate(who, "mcpctl/watch");
    return seesAll ? undefined : who.id;
  }

  /** Stands for what somebody may see of what is told as it comes; undefined where a path tells nothing so. */
  sightOf(path: string, who: Principal): string | undefined {
    if (path !== livePath && path !== tailPath) return undefined;
    const hub = this.#hub;
    const tail = "mcpctl/tail";
    return JSON.stringify([hub.mayWatch(who), this.#ownOnly(who), hub.mayWatch(who, tail), hub.mayOperate(who, tail)]);
  }

  /** The status page, without what it shows. */
  async page(): Promise<HttpReply> {
    return (await this.#statusPage()).shell();
  }

  /** Ends what is open. */
  async close(): Promise<void> {
    this.#admin?.close();
    (await this.#page)?.close();
  }

  #statusPage(): Promise<StatusPage> {
    this.#page ??= import("./page.ts").then(({ createPage }) => createPage(this.#hub, this.#status, this.#observing));
    return this.#page;
  }

  async #operators(): Promise<Admin> {
    const { createAdmin } = await import("./admin.ts");
    return (this.#admin ??= createAdmin(this.#hub, this.#stop, this.#controls));
  }
}
