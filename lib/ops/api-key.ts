// A new API key, and what a config says to let its holder in.

import { createApiKey, hashApiKey } from "../core/api-key.ts";
import { GatewayError } from "../core/errors.ts";
import { isDate, keyNamePattern, scopePattern } from "../config/rules-auth.ts";

export interface ApiKeyWish {
  readonly name: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** As the config writes it. */
  readonly expires: string | undefined;
}

export interface NewApiKey {
  /** To be shown once. */
  readonly key: string;
  /** What to put into the config. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Throws `usage` for what no config could hold. */
export function newApiKey({ name, groups, scopes, expires }: ApiKeyWish): NewApiKey {
  const refuse = (what: string): never => {
    throw new GatewayError("usage", what);
  };
  if (!keyNamePattern.test(name))
    refuse(`${JSON.stringify(name)} is no name: up to 64 letters, digits, ".", "_" and "-"`);
  const bad = scopes.find((scope) => !scopePattern.test(scope));
  if (bad !== undefined) refuse(`${JSON.stringify(bad)} is no scope: no blanks, quotes or backslashes`);
  if (expires !== undefined && !isDate(expires)) refuse(`--expires must be a date like 2030-12-31, not ${expires}`);
  const key = createApiKey();
  const entry = {
    hash: `sha256:${hashApiKey(key)}`,
    ...(groups.length > 0 ? { groups } : {}),
    ...(scopes.length > 0 ? { scopes } : {}),
    ...(expires === undefined ? {} : { expires }),
  };
  return { key, config: { auth: { keys: { [name]: entry } } } };
}
