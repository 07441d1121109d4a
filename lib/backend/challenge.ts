// What a server that refuses says of the credentials that it wants (RFC 6750, section 3; RFC 9728, section 5.1).

export interface Challenge {
  readonly error?: string;
  readonly scopes: readonly string[];
  /** Where its metadata are; an address that it may say, and nothing more. */
  readonly metadata?: string;
}

const parameter = /([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
const maxChars = 8 * 1024;
const maxScopes = 100;

/** The challenge of the Bearer scheme; undefined where there is none. */
export function readChallenge(header: string | undefined): Challenge | undefined {
  const [, own] = /(?:^|,)\s*Bearer(?:\s+(.*))?$/is.exec((header ?? "").slice(0, maxChars)) ?? [];
  if (header === undefined || !/(?:^|,)\s*Bearer\b/i.test(header)) return undefined;
  // What follows belongs to another scheme, whose name stands before its first parameter.
  const [mine = ""] = (own ?? "").split(/,\s*(?=[A-Za-z][\w-]*\s+[\w-]+\s*=)/);
  const found: Record<string, string> = {};
  for (const [, name = "", quoted, plain] of mine.matchAll(parameter))
    found[name.toLowerCase()] ??= quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "";
  const { error, scope, resource_metadata: metadata } = found;
  return {
    ...(error === undefined ? {} : { error }),
    scopes: scopesOf(scope),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** The scopes of a text; what is none is left out. */
export function scopesOf(text: string | undefined): readonly string[] {
  const all = (text ?? "").split(/\s+/).filter((scope) => scopeToken.test(scope));
  return [...new Set(all)].slice(0, maxScopes);
}

/** Each once, in the order in which they come first. */
export function unionOf(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())];
}
