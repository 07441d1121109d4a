// The plan: the frozen, validated form of the config that the running program reads, and its defaults.

import type { BackendName, Isolation } from "../core/nouns.ts";
import type { Disclosure, LockPlan, RulesPlan, ViewPlan } from "./catalog.ts";
import type { AuditPlan, AuthPlan, ListenTlsPlan } from "./auth.ts";
import type { GuardPlan, SandboxPlan } from "./guard.ts";
import { type BackendLimits, limitDefaults, type Limits } from "./limits.ts";
import type { OutboundPlan } from "./outbound.ts";
import type { ResiliencePlan } from "./resilience.ts";
import { observeDefaults, type ObservePlan } from "./observe.ts";
import type { ClusterPlan } from "./rules-cluster.ts";
import type { PolicyPlan } from "./rules-policy.ts";

/** How tools and prompts are exposed; `conflict`: with the prefix where several backends have the name. */
export type Naming = "prefix" | "none" | "conflict";

export interface Plan {
  readonly listen: { readonly host: string; readonly port: number };
  readonly naming: Naming;
  /** Absent: everybody is let in. */
  readonly auth?: AuthPlan;
  /** Absent: nothing is written down. */
  readonly audit?: AuditPlan;
  /** Absent: everything is allowed. */
  readonly policy?: PolicyPlan;
  /** Under which clients reach the gateway, without a slash at the end; absent: where it listens. */
  readonly publicUrl?: string;
  /** Absent: plain HTTP. */
  readonly tls?: ListenTlsPlan;
  /** Between backend and local name where `naming` is `prefix`. */
  readonly separator: string;
  /** Who wins a name or a URI that several backends own; backends that are left out follow in config order. */
  readonly priority: readonly BackendName[];
  /** In config order, without the disabled ones. */
  readonly backends: readonly BackendPlan[];
  /** What is seen of the gateway. */
  readonly observe: ObservePlan;
  readonly front: FrontPlan;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** The first one seals, all of them open. Secret. */
  readonly sealKeys: readonly string[];
  /** Absent: this process serves its clients alone. */
  readonly cluster?: ClusterPlan;
  readonly pagination: PaginationPlan;
  readonly views: readonly ViewPlan[];
  readonly disclosure: Disclosure;
  readonly lock: LockPlan;
  /** Where the gateway runs; replicas of the same zone come first. */
  readonly zone?: string;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
}

/** What is offered to clients beside the endpoint. */
export interface FrontPlan {
  /** HTTP+SSE, the transport of the first revision. */
  readonly sse: boolean;
}

export interface PaginationPlan {
  /** Items of one page; off = all of them. */
  readonly pageSize: number | "off";
  /** The most that a client gets that asks for a page size. */
  readonly maxPageSize: number;
}

export interface Timeouts {
  /** How long calls in flight may go on when the gateway stops. */
  readonly drainMs: number;
  /** How long a listing waits for a backend that is still starting. */
  readonly listMs: number;
  /** How long the items of a backend that is down stay in listings. */
  readonly graceMs: number;
  /** How long a dropped stream may be resumed before its call is cancelled. */
  readonly resumeMs: number;
  /** Between two comments on a silent stream. */
  readonly keepAliveMs: number;
  /** Life of a session that nobody uses. */
  readonly sessionIdleMs: number;
  /** How long a call waits for the input that its modern client was asked for. */
  readonly inputMs: number;
}

export interface BackendPlan {
  readonly name: BackendName;
  /** At least one. */
  readonly replicas: readonly ReplicaPlan[];
  readonly isolation: Isolation;
  /** `legacy`, `modern` or one revision; absent = found out when a link is opened. */
  readonly protocol?: string;
  /** Start and handshake together. */
  readonly connectMs: number;
  /** One call in total. */
  readonly callMs: number;
  /** Between two pings; 0 switches them off. */
  readonly healthMs: number;
  /** How long a listing counts as fresh where the server neither says so nor tells of changes. */
  readonly ttlMs: number;
  /** Start and handshake together, where that may take longer than `connectMs`. */
  readonly handshakeMs?: number;
  /** Only where the config says something about it. */
  readonly rules?: RulesPlan;
  /** Only where the config says something about it. */
  readonly limits?: BackendLimits;
  /** Only where the config says something about it. */
  readonly guard?: GuardPlan;
  /** By which views choose it. */
  readonly tags?: readonly string[];
  /** Only where the config says something about it. */
  readonly resilience?: ResiliencePlan;
}

/** What balancing knows of a replica; absent = weight 1, no zone. */
export interface ReplicaShare {
  readonly weight?: number;
  readonly zone?: string;
}

export interface StdioReplicaPlan extends ReplicaShare {
  readonly kind: "stdio";
  /** A program, never a shell line; absolute, or a bare name that is looked up on the PATH. */
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the environment of the child. Secret. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute; undefined = the gateway's own. */
  readonly cwd: string | undefined;
  /** Whether the child sees the gateway's whole environment too. */
  readonly inheritEnv: boolean;
  /** Absent: it runs as the gateway does. */
  readonly sandbox?: SandboxPlan;
}

export interface TlsPlan {
  /** File of the authorities to trust instead of the system's; absolute. */
  readonly ca: string | undefined;
  /** Accepts any certificate. */
  readonly insecure: boolean;
}

export interface HttpReplicaPlan extends ReplicaShare {
  readonly kind: "http";
  /** http, https or unix, without user and password (those become an Authorization header). */
  readonly url: string;
  /** Secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** Only where the config says something about it. */
  readonly tls?: TlsPlan;
  /** What the gateway shows it beside the headers. */
  readonly auth?: OutboundPlan;
  /** Headers of clients' requests that it is shown, in lower case. */
  readonly forward?: readonly string[];
  /** Absent = Streamable HTTP, and HTTP+SSE where that is refused. */
  readonly transport?: "streamable" | "sse";
}

export type ReplicaPlan = StdioReplicaPlan | HttpReplicaPlan;

/** What a plan says where the config is silent. */
export const planDefaults: Omit<Plan, "backends" | "priority"> = freeze({
  listen: { host: "127.0.0.1", port: 7337 },
  naming: "prefix",
  separator: "__",
  observe: observeDefaults,
  front: { sse: false },
  allowedHosts: [],
  allowedOrigins: [],
  sealKeys: [],
  views: [],
  disclosure: "full",
  lock: { mode: "off", file: "mcp.lock" },
  pagination: { pageSize: 1000, maxPageSize: 10_000 },
  limits: limitDefaults,
  timeouts: {
    drainMs: 10_000,
    listMs: 3_000,
    graceMs: 300_000,
    resumeMs: 5_000,
    keepAliveMs: 15_000,
    sessionIdleMs: 3_600_000,
    inputMs: 600_000,
  },
});

/** What a backend's plan says where the config is silent. */
export const backendDefaults: Omit<BackendPlan, "name" | "replicas"> = freeze({
  isolation: "principal",
  connectMs: 30_000,
  callMs: 600_000,
  healthMs: 30_000,
  ttlMs: 0,
});

/** A plan for these backends with every other setting at its default, frozen. */
export function defaultPlan(backends: readonly BackendPlan[]): Plan {
  return freeze({ ...planDefaults, priority: backends.map((backend) => backend.name), backends });
}

/** True where nothing that matters to a link differs, so that links live on over a reload. */
export function samePlan(a: BackendPlan, b: BackendPlan): boolean {
  return equal(a, b);
}

/** The value itself, frozen with everything inside it. */
export function freeze<T>(value: T): T {
  if (isRecord(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

// The order of keys says nothing here, the order of an array does.
function equal(a: unknown, b: unknown): boolean {
  if (!isRecord(a) || !isRecord(b)) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
