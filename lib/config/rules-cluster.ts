// What a config may say of other gateway processes: where they meet.

export interface ClusterConfig {
  readonly url: string;
  readonly prefix?: string | undefined;
}

/** The same for the program; the engine may want a password, which the address holds. */
export interface ClusterPlan {
  /** redis:// or rediss://. Secret. */
  readonly url: string;
  /** Of every key and channel there. */
  readonly prefix: string;
}

export const clusterDefaults: { readonly prefix: string } = { prefix: "mcpctl" };

export const clusterPrefixPattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

const schemes: ReadonlyMap<string, string> = new Map([
  ["redis:", "redis:"],
  ["valkey:", "redis:"],
  ["rediss:", "rediss:"],
  ["valkeys:", "rediss:"],
]);

export function isEngineUrl(text: string): boolean {
  return engineUrl(text) !== undefined;
}

/** The address as every client library writes it: Valkey speaks the protocol of Redis. */
export function engineUrl(text: string): string | undefined {
  const url = URL.parse(text);
  const scheme = url ? schemes.get(url.protocol) : undefined;
  if (!url || scheme === undefined || url.hostname === "" || url.hash !== "" || !/^(?:\/\d{0,3})?$/.test(url.pathname))
    return undefined;
  return scheme + text.slice(text.indexOf(":") + 1);
}
