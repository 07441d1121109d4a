// The status page at `/`: a shell that says nothing, and what it shows, told to those who may see it while they look.

import { createHash } from "node:crypto";
import { GatewayError } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import { every } from "../core/scope.ts";
import { frameComment, frameEvent } from "../core/sse-frames.ts";
import { encodeJson, encodeText } from "../core/text.ts";
import type { Hub } from "../route/hub.ts";
import type { EventSink } from "./eventlog.ts";
import type { HttpReply, HttpRequest } from "./exchange.ts";
import { pageHtml, pageScript, pageStyle } from "./page-html.ts";
import { errorReply, eventReply } from "./reply.ts";

/** Everything that the page shows, as JSON; with `of`, of calls those of this principal alone. */
export type Snapshot = () => Promise<(of: string | undefined) => object>;

const tickMs = 1_000;
const maxWatchers = 64;

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const htmlHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${hashOf(pageScript)}`,
    `style-src ${hashOf(pageStyle)}`,
    "connect-src 'self'",
    "img-src data:",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export class StatusPage {
  readonly #hub: Hub;
  readonly #snapshot: Snapshot;
  readonly #html = encodeText(pageHtml);
  /** With the principal whose calls alone each is shown. */
  readonly #watchers = new Map<EventSink, string | undefined>();
  #stopTicking: (() => void) | undefined;
  /** A look is under way. */
  #isLooking = false;

  constructor(hub: Hub, snapshot: Snapshot) {
    this.#hub = hub;
    this.#snapshot = snapshot;
  }

  /** The page itself. It holds nothing of the gateway: what it shows it asks for, with what its reader shows. */
  shell(): HttpReply {
    return this.#closed() ?? { status: 200, headers: htmlHeaders, body: this.#html };
  }

  /** What the page shows, once a second; with `of`, of calls those of this principal alone. */
  live({ method }: HttpRequest, of: string | undefined): HttpReply {
    if (method !== "GET") {
      const error = new GatewayError("methodNotAllowed", `the live stream does not take ${method}`);
      return errorReply(error, undefined, { allow: "GET" });
    }
    const closed = this.#closed();
    if (closed) return closed;
    if (this.#watchers.size >= maxWatchers)
      return errorReply(new GatewayError("overloaded", `${maxWatchers} others look at this page already`), undefined);
    return eventReply((sink) => {
      this.#watchers.set(sink, of);
      sink.write(frameComment("live"));
      this.#stopTicking ??= every(tickMs, () => void this.#look());
      void this.#look();
      return () => this.#leave(sink);
    });
  }

  close(): void {
    for (const sink of [...this.#watchers.keys()]) {
      sink.end();
      this.#leave(sink);
    }
  }

  #leave(sink: EventSink): void {
    if (!this.#watchers.delete(sink) || this.#watchers.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  /** One look for all who watch; none begins before the last one is over. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const seen = await this.#snapshot();
      const frames = new Map<string | undefined, Uint8Array>();
      for (const [sink, of] of this.#watchers) {
        const frame = frames.get(of) ?? frameEvent(encodeJson(seen(of)));
        frames.set(of, frame);
        if (!sink.congestion) sink.write(frame);
      }
    } catch (error) {
      this.#hub.observer.log("error", "gateway", `the status page failed: ${String(error)}`);
    } finally {
      this.#isLooking = false;
    }
  }

  /** Why there is no page here. */
  #closed(): HttpReply | undefined {
    if (this.#hub.plan.auth || isLoopback(this.#hub.plan.listen.host)) return undefined;
    const text = "the status page is not for everybody: configure auth, or listen on loopback";
    return { ...errorReply(new GatewayError("denied", text), undefined), status: 403 };
  }
}
