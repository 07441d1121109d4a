// What clients call the gateway: the addresses that tokens are made for, and the metadata that leads to who makes them.

import type { Plan } from "../config/plan.ts";
import { isLoopback } from "../core/loopback.ts";
import { encodeJson } from "../core/text.ts";
import type { HttpReply, HttpRequest } from "./exchange.ts";
import { jsonReply } from "./reply.ts";

const wellKnown = "/.well-known/oauth-protected-resource";

export class Resources {
  /** Without a slash at the end; the first one is what the gateway calls itself. */
  readonly #bases: readonly string[];
  readonly #plan: Plan;

  /** `listensAt`: origin of the listener, where it has one. */
  constructor(plan: Plan, listensAt: string | undefined) {
    this.#plan = plan;
    this.#bases = basesOf(plan, listensAt);
  }

  /** Whether a token for one of `audiences` is one for this path: for the gateway, the endpoint, or one view of it. */
  accepts(audiences: readonly string[], path: string): boolean {
    const names = resourcesAt(path);
    return audiences.some((audience) => {
      const name = canonical(audience);
      return this.#bases.some((base) => names.some((each) => name === base + each));
    });
  }

  /** Address of the metadata for what is at a path. */
  metadataUrl(request: HttpRequest, path: string): string {
    return this.#base(request) + wellKnown + resourceAt(path);
  }

  /** The metadata that a request asks for (RFC 9728); undefined where it asks for something else. */
  metadata(request: HttpRequest, path: string): HttpReply | undefined {
    if (path !== wellKnown && !path.startsWith(`${wellKnown}/`)) return undefined;
    const resource = path.slice(wellKnown.length);
    const issuers = this.#plan.auth?.issuers ?? [];
    // Which backends there are is for those who are signed in: every name under an endpoint is answered alike.
    if (issuers.length === 0 || !/^(?:\/(?:mcp|sse|health)(?:\/[^/]+)?)?$/.test(resource)) return undefined;
    const scopes = this.#plan.auth?.scopes ?? [];
    const document = {
      resource: this.#base(request) + resource,
      authorization_servers: issuers.map(({ issuer }) => issuer),
      bearer_methods_supported: ["header"],
      ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
      resource_name: "mcpctl",
    };
    return jsonReply(encodeJson(document), { "cache-control": "max-age=300" });
  }

  /** As the client calls it, where that is one of the names. */
  #base(request: HttpRequest): string {
    const host = (request.header("host") ?? "").toLowerCase();
    return this.#bases.find((base) => base.endsWith(`//${host}`)) ?? this.#bases[0] ?? "";
  }
}

function basesOf({ publicUrl, listen, tls }: Plan, listensAt: string | undefined): readonly string[] {
  if (publicUrl !== undefined) return [canonical(publicUrl)];
  const url = new URL(listensAt ?? `${tls ? "https" : "http"}://127.0.0.1:${listen.port}`);
  if (!isLoopback(url.hostname)) return [canonical(url.href)];
  const port = url.port === "" ? "" : `:${url.port}`;
  return ["127.0.0.1", "localhost", "[::1]"].map((host) => `${url.protocol}//${host}${port}`);
}

/** What is at a path, as the metadata and tokens name it; messages of the old transport belong to its stream. */
function resourceAt(path: string): string {
  return path === "/messages" || path.startsWith("/messages/") ? `/sse${path.slice("/messages".length)}` : path;
}

function resourcesAt(path: string): readonly string[] {
  const resource = resourceAt(path);
  const [, endpoint = ""] = resource.split("/", 2);
  return ["", `/${endpoint}`, resource, ...(resource === "/health" ? ["/mcp"] : [])];
}

/** Scheme and host are written in any case, and a slash at the end means nothing (2026-07-28, "Canonical Server URI"). */
function canonical(address: string): string {
  const url = URL.parse(address);
  if (!url || url.hash !== "" || url.search !== "") return address;
  return url.href.replace(/\/+$/, "");
}
