// What a config is once it is read, and the rules that both of its readers keep: the quick one, and the schema that explains.

import type { Isolation } from "../core/nouns.ts";
import type { GuardConfig, SandboxConfig } from "./rules-guard.ts";
import type { BackendLimitConfig, LimitConfig } from "./rules-limits.ts";
import type { ClusterConfig } from "./rules-cluster.ts";
import type { PolicyConfig } from "./rules-policy.ts";
import type { ObserveConfig } from "./rules-observe.ts";
import type { AuditConfig, AuthConfig, ListenTlsConfig, OutboundConfig } from "./rules-auth.ts";

/** What a backend may be called: no separator in it, and none that could form at its end. */
export const namePattern: RegExp = /^(?!.*__)(?!.*_$)[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;

export interface ListenConfig {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

export interface TlsConfig {
  readonly ca?: string | undefined;
  readonly insecure?: boolean | undefined;
}

export interface EndpointConfig {
  readonly command?: string | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly inheritEnv?: boolean | undefined;
  readonly sandbox?: SandboxConfig | undefined;
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly tls?: TlsConfig | undefined;
  readonly auth?: OutboundConfig | undefined;
  readonly forwardHeaders?: readonly string[] | undefined;
  readonly transport?: "auto" | "streamable" | "sse" | undefined;
}

export interface FrontConfig {
  readonly sse?: boolean | undefined;
}

type Numbers<Key extends string> = { readonly [K in Key]?: number | undefined };

export type TimeoutConfig = Numbers<"drain" | "list" | "grace" | "resume" | "keepAlive" | "session" | "input">;

export interface PaginationConfig {
  readonly pageSize?: number | "off" | undefined;
  readonly maxPageSize?: number | undefined;
}

export type ToolTimeouts = Numbers<"call" | "first" | "idle">;
export interface BackendTimeouts extends Numbers<
  "connect" | "handshake" | "call" | "first" | "idle" | "health" | "ping" | "down" | "listing"
> {
  readonly tools?: Readonly<Record<string, ToolTimeouts>> | undefined;
}
export interface RetryConfig extends Numbers<"attempts" | "budget" | "wait"> {
  readonly tools?: readonly string[] | undefined;
}
export interface BreakerConfig extends Numbers<
  "failures" | "rate" | "minCalls" | "window" | "open" | "maxOpen" | "trials"
> {
  readonly codes?: readonly number[] | undefined;
  readonly perTool?: boolean | undefined;
  readonly disabled?: boolean | undefined;
}
export type ConcurrencyConfig = Numbers<"inFlight" | "queued" | "inFlightEach" | "queuedEach">;
export type HedgeConfig = Numbers<"after" | "min" | "share">;
export interface OutlierConfig extends Numbers<
  "errorRate" | "slowness" | "min" | "minCalls" | "eject" | "share" | "ramp"
> {
  readonly disabled?: boolean | undefined;
}
export type CacheConfig = Numbers<"size" | "stale">;

export interface ReplicaConfig extends EndpointConfig, Numbers<"weight"> {
  readonly zone?: string | undefined;
}

export interface ItemRulesConfig {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
}

export interface ToolRulesConfig extends ItemRulesConfig {
  readonly rename?: Readonly<Record<string, string>> | undefined;
  readonly describe?: Readonly<Record<string, string>> | undefined;
  readonly override?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
}

export interface RulesConfig {
  readonly tools?: ToolRulesConfig | undefined;
  readonly prompts?: ItemRulesConfig | undefined;
  readonly resources?: ItemRulesConfig | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface ViewConfig {
  readonly backends?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly prompts?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  readonly disclosure?: "full" | "search" | undefined;
}

/** What a config says about listings. */
export interface CatalogConfig {
  readonly pagination?: PaginationConfig | undefined;
  readonly views?: Readonly<Record<string, ViewConfig>> | undefined;
  readonly disclosure?: "full" | "search" | undefined;
  readonly lock?: "off" | "warn" | "enforce" | undefined;
  readonly lockFile?: string | undefined;
}

export interface BackendConfig extends EndpointConfig, RulesConfig {
  readonly replicas?: readonly ReplicaConfig[] | undefined;
  readonly balance?: string | undefined;
  readonly healthPath?: string | undefined;
  readonly retry?: RetryConfig | undefined;
  readonly breaker?: BreakerConfig | undefined;
  readonly concurrency?: ConcurrencyConfig | undefined;
  readonly hedge?: HedgeConfig | undefined;
  readonly outliers?: OutlierConfig | undefined;
  readonly cache?: CacheConfig | undefined;
  readonly isolation?: Isolation | undefined;
  readonly protocol?: string | undefined;
  readonly timeouts?: BackendTimeouts | undefined;
  readonly limits?: BackendLimitConfig | undefined;
  readonly guard?: GuardConfig | undefined;
  readonly disabled?: boolean | undefined;
}

/** A config file as its readers leave it: durations in milliseconds, sizes in bytes, nothing filled in. */
export interface Config extends CatalogConfig, ObserveConfig {
  readonly $schema?: string | undefined;
  readonly auth?: AuthConfig | undefined;
  readonly audit?: AuditConfig | undefined;
  readonly policy?: PolicyConfig | undefined;
  readonly publicUrl?: string | undefined;
  readonly tls?: ListenTlsConfig | undefined;
  readonly listen?: ListenConfig | undefined;
  readonly naming?: "prefix" | "none" | "conflict" | undefined;
  readonly zone?: string | undefined;
  readonly priority?: readonly string[] | undefined;
  readonly backends?: Readonly<Record<string, BackendConfig>> | undefined;
  readonly front?: FrontConfig | undefined;
  readonly timeouts?: TimeoutConfig | undefined;
  readonly limits?: LimitConfig | undefined;
  readonly allowedHosts?: readonly string[] | undefined;
  readonly allowedOrigins?: readonly string[] | undefined;
  readonly sealKeys?: readonly string[] | undefined;
  readonly cluster?: ClusterConfig | undefined;
}

/** Which era a backend is spoken to in: found out, named, or that of one revision. */
export const protocolPattern: RegExp = /^(?:auto|legacy|modern|\d{4}-\d{2}-\d{2})$/;

/** How calls are spread over replicas. */
export const balancePattern: RegExp =
  /^(?:least-pending|round-robin|random-two|priority|hash\((?:principal|session|header:[A-Za-z0-9-]{1,64}|argument:[\w.-]{1,128})\))$/;
/** A path as it goes into a request. */
export const pathPattern: RegExp = /^\/[\x21-\x7e]{0,1023}$/;
/** Names of tools, with `*` for any part. */
export const globPattern: RegExp = /^[^\0]{1,256}$/;
/** What a tool may be renamed to: clients refuse anything else. */
export const toolNamePattern: RegExp = /^[A-Za-z0-9_.-]{1,64}$/;
/** A member of a tool that may be replaced. */
export const memberPattern: RegExp = /^(?!name$)[^\0]{1,256}$/;
export const maxWeight = 1000;
export const maxAttempts = 10;
export const codeRange: readonly [min: number, max: number] = [-2_147_483_648, 2_147_483_647];

/** Longer than this a timer of the runtimes overflows and fires at once. */
export const maxDelayMs: number = 24 * 86_400_000;
export const byteRange: readonly [min: number, max: number] = [1024, 2 ** 31];
export const maxPort = 65_535;
export const maxPages = 1_000_000;
/** Of items in a listing and on a page, and of sessions. */
export const maxCount = 10_000_000;

// oxlint-disable-next-line no-control-regex
export const textPattern: RegExp = /^[^\0]*$/;
// oxlint-disable-next-line no-control-regex
export const sealKeyPattern: RegExp = /^[^\0]{16,}$/;
/** Variables are texts, so a text of digits is a number. */
export const digitsPattern: RegExp = /^\d{1,15}$/;
export const hostPattern: RegExp = /^(?:[A-Za-z0-9.-]+|\[?[0-9A-Fa-f:.%]+\]?)$/;
/** `127.0.0.1:7337`, `[::1]:7337`, `localhost` or `7337`. */
export const addressPattern: RegExp =
  /^(?:(?<host>[A-Za-z0-9.-]*[A-Za-z.-][A-Za-z0-9.-]*|\d+(?:\.\d+){3}|\[[0-9A-Fa-f:.%]+\])(?::(?<port>\d{1,5}))?|(?<only>\d{1,5}))$/;

/** Host and port of a text that {@link addressPattern} matches. */
export function parseAddress(written: string): ListenConfig {
  const groups = addressPattern.exec(written)?.groups ?? {};
  const [host, port] = [groups["host"], groups["port"] ?? groups["only"]];
  return { ...(host ? { host } : {}), ...(port ? { port: Number(port) } : {}) };
}

/** An address as a port or a text; undefined where it is none. */
export function readAddress(value: unknown): ListenConfig | undefined {
  if (typeof value === "number")
    return Number.isInteger(value) && value >= 0 && value <= maxPort ? { port: value } : undefined;
  const address = typeof value === "string" && addressPattern.test(value) ? parseAddress(value) : undefined;
  return (address?.port ?? 0) <= maxPort ? address : undefined;
}
