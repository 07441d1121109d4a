// What the headers of a request to the endpoint must say.

import { GatewayError } from "../core/errors.ts";
import type { HttpRequest } from "./exchange.ts";

export const sessionHeader = "mcp-session-id";

export function requireJson(request: HttpRequest): void {
  const type = (request.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new GatewayError("mediaType", "the content type must be application/json");
}

/** 2025-11-25, Transports: the client must list what it can take; wildcards list everything. */
export function requireAccept(request: HttpRequest, types: readonly string[]): void {
  const ranges = (request.header("accept") ?? "")
    .split(",")
    .map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  const takes = (type: string): boolean =>
    ranges.some((range) => range === "*/*" || range === type || range === `${type.split("/", 1)[0]}/*`);
  if (!types.every(takes)) throw new GatewayError("notAcceptable", `the client must accept ${types.join(" and ")}`);
}
