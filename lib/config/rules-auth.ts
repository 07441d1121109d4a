// What a config may say of who comes in: its sections as they are read, and the rules that both readers keep.

import { isLoopback } from "../core/loopback.ts";

export interface KeyConfig {
  readonly hash: string;
  readonly groups?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly expires?: string | undefined;
}

export interface IntrospectionConfig {
  readonly url?: string | undefined;
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface IssuerConfig {
  readonly issuer: string;
  readonly jwks?: string | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly algorithms?: readonly Algorithm[] | undefined;
  readonly groupsClaim?: string | undefined;
  readonly skew?: number | undefined;
  readonly introspection?: IntrospectionConfig | undefined;
}

export interface SignInConfig {
  readonly keys?: Readonly<Record<string, KeyConfig>> | undefined;
  readonly issuers?: readonly IssuerConfig[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly certificates?: boolean | undefined;
}

export type AuthConfig = "none" | SignInConfig;

export interface ListenTlsConfig {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
}

/** How tokens for a backend are come by: somebody signs in, the gateway itself does, or it trades in its callers' tokens. */
export const grants = ["authorization_code", "client_credentials", "token_exchange"] as const;
export type Grant = (typeof grants)[number];

/** For a backend: a file, or an issuer and what it knows the gateway by. */
export interface OutboundTermsConfig {
  readonly tokenFile?: string | undefined;
  readonly grant?: Grant | undefined;
  readonly tokenUrl?: string | undefined;
  readonly issuer?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly clientMetadataUrl?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly resource?: string | undefined;
  readonly audience?: string | undefined;
  readonly shared?: boolean | undefined;
}

/** `oauth`: somebody signs in, and the rest is found out. */
export type OutboundConfig = "oauth" | OutboundTermsConfig;

/** How arguments are written down: not at all, as a hash, or as they are but for what is masked. */
export const auditModes = ["off", "hashed", "full"] as const;
export type AuditMode = (typeof auditModes)[number];

/** Fits what fits all that is named here; of the two lists of names, one that is named leaves out the other kind. */
export interface AuditRuleConfig {
  readonly backends?: readonly string[] | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly prompts?: readonly string[] | undefined;
  readonly arguments: AuditMode;
  /** JSON Pointers into the arguments. */
  readonly mask?: readonly string[] | undefined;
}

export interface AuditConfig {
  readonly file: string;
  readonly rotate?: number | undefined;
  readonly arguments?: AuditMode | undefined;
  readonly rules?: readonly AuditRuleConfig[] | undefined;
}

/** With a public key each: whoever can check a token must not be able to make one. */
export const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;
export type Algorithm = (typeof algorithms)[number];

export const keyNamePattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const keyHashPattern: RegExp = /^sha256:[0-9a-f]{64}$/;
/** RFC 6749, section 3.3. */
export const scopePattern: RegExp = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
export const datePattern: RegExp = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z)?$/;
export const maxSkewMs = 300_000;

export function isDate(text: string): boolean {
  return datePattern.test(text) && Number.isFinite(Date.parse(text));
}

/** An address whose answers can be believed: over TLS, or on this machine. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username !== "" || url.password !== "" || url.search !== "" || /[#\s\0]/.test(text)) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

/** Where an authorization server reads who a client is: over TLS, and with a path (2026-07-28, Client Registration). */
export function isMetadataUrl(text: string): boolean {
  return isSafeUrl(text) && text.startsWith("https:") && new URL(text).pathname !== "/";
}

/** Headers of connections, of this protocol, and of the gateway's own: clients decide none of them. */
const ownHeaders: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "origin",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A header of clients that may be handed on to a backend. */
export function isForwardable(name: string): boolean {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(name)) return false;
  const lower = name.toLowerCase();
  return !ownHeaders.has(lower) && !lower.startsWith("mcp-param-");
}

/** Under which clients reach the gateway, where a proxy may speak TLS, or nobody does. */
export function isPublicUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username !== "" || url.password !== "" || /[?#\s\0]/.test(text)) return false;
  return url.protocol === "https:" || url.protocol === "http:";
}
