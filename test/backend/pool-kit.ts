// Short forms of what the tests of the pool do again and again.
import assert from "node:assert/strict";
import { HttpPool, type HttpReply, type HttpRequest, type PoolOptions } from "../../lib/backend/pool.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const post = (body: string, path = "/mcp"): HttpRequest => ({
  method: "POST",
  path,
  headers: [],
  body: utf8(body),
});
export const get = (path = "/mcp"): HttpRequest => ({ method: "GET", path, headers: [] });

export function poolFor(origin: URL, options: Partial<PoolOptions> = {}): HttpPool {
  return new HttpPool(origin, { connectTimeoutMs: 5000, ...options });
}

export async function text(reply: HttpReply): Promise<string> {
  return Buffer.from(await reply.body.bytes(1 << 20)).toString("latin1");
}

export async function ask(pool: HttpPool, request: HttpRequest): Promise<string> {
  using scope = new Scope();
  return await text(await pool.request(request, scope));
}

export async function failure(promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
}

/** Deterministic numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
