// API keys: random texts that are shown once; the config holds their hashes.

import { createHash, randomBytes } from "node:crypto";

/** So that scanners for leaked secrets, and people, know one when they see it. */
const prefix = "mcpctl_";
const secretBytes = 32;

export function createApiKey(): string {
  return prefix + randomBytes(secretBytes).toString("base64url");
}

/** SHA-256 in hex. A key is random and long, so that a slow hash would protect nothing, and cost each first request. */
export function hashApiKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
