// A config without mistakes to the frozen plan: defaults filled in, paths made absolute, credentials moved out of URLs.

import { resolve } from "node:path";
import type { BackendName } from "../core/nouns.ts";
import {
  type BackendPlan,
  type Plan,
  type ReplicaPlan,
  type ReplicaShare,
  type TlsPlan,
  backendDefaults,
  freeze,
  planDefaults,
} from "./plan.ts";
import type { BackendConfig, Config, EndpointConfig, ReplicaConfig } from "./rules.ts";
import { clusterDefaults, engineUrl } from "./rules-cluster.ts";
import type { LockPlan } from "./catalog.ts";
import { compileRules, compileViews } from "./compile-catalog.ts";
import { compileObserve } from "./compile-observe.ts";
import { compileDoor, compileOutbound } from "./compile-auth.ts";
import { compileGuard, compileSandbox } from "./compile-guard.ts";
import { compileBackendLimits, compileLimits } from "./compile-limits.ts";
import { compileResilience } from "./compile-resilience.ts";
import { type Node, entryOf } from "./tree.ts";

/** The plan of a config that was checked; the tree gives the order of the backends and the folders of their files. */
export function compilePlan(config: Config, root: Node): Plan {
  const section: Node | undefined = entryOf(root, "backends")?.node;
  const backends: BackendPlan[] = [];
  // Not over the config's keys: an object puts names like "1" before all others.
  for (const [name, { node }] of section?.kind === "map" ? section.entries : []) {
    const backend = config.backends?.[name];
    if (backend !== undefined) backends.push(compileBackend(brand(name), backend, node, config.sealKeys ?? []));
  }
  const names = backends.map((backend) => backend.name);
  const first = (config.priority ?? []).map(brand).filter((name) => names.includes(name));
  const { listen, pagination, timeouts } = planDefaults;
  return freeze<Plan>({
    listen: {
      host: config.listen?.host?.replace(/^\[(.*)\]$/, "$1") ?? listen.host,
      port: config.listen?.port ?? listen.port,
    },
    ...compileDoor(config, root),
    naming: config.naming ?? planDefaults.naming,
    ...(config.zone === undefined ? {} : { zone: config.zone }),
    separator: planDefaults.separator,
    priority: [...new Set([...first, ...names])],
    backends,
    observe: compileObserve(config),
    front: { sse: config.front?.sse ?? planDefaults.front.sse },
    allowedHosts: config.allowedHosts ?? [],
    allowedOrigins: config.allowedOrigins ?? [],
    sealKeys: config.sealKeys ?? [],
    ...compileCluster(config),
    views: compileViews(config.views ?? {}),
    disclosure: config.disclosure ?? planDefaults.disclosure,
    lock: compileLock(config, root),
    pagination: {
      pageSize: config.pagination?.pageSize ?? pagination.pageSize,
      maxPageSize: config.pagination?.maxPageSize ?? pagination.maxPageSize,
    },
    limits: compileLimits(config.limits, config.auth !== undefined && config.auth !== "none"),
    timeouts: {
      drainMs: config.timeouts?.drain ?? timeouts.drainMs,
      listMs: config.timeouts?.list ?? timeouts.listMs,
      graceMs: config.timeouts?.grace ?? timeouts.graceMs,
      resumeMs: config.timeouts?.resume ?? timeouts.resumeMs,
      keepAliveMs: config.timeouts?.keepAlive ?? timeouts.keepAliveMs,
      sessionIdleMs: config.timeouts?.session ?? timeouts.sessionIdleMs,
      inputMs: config.timeouts?.input ?? timeouts.inputMs,
    },
  });
}

function compileCluster({ cluster }: Config): Pick<Plan, "cluster"> {
  if (!cluster) return {};
  return { cluster: { url: engineUrl(cluster.url) ?? "", prefix: cluster.prefix ?? clusterDefaults.prefix } };
}

function compileLock({ lock, lockFile }: Config, root: Node): LockPlan {
  const { mode, file } = planDefaults.lock;
  if (lock === undefined && lockFile === undefined) return planDefaults.lock;
  const folder = folderOf(root, lockFile === undefined ? "lock" : "lockFile");
  return { mode: lock ?? mode, file: resolve(folder, lockFile ?? file) };
}

function compileBackend(
  name: BackendName,
  backend: BackendConfig,
  node: Node,
  sealKeys: readonly string[],
): BackendPlan {
  const list = entryOf(node, "replicas")?.node;
  const items = list?.kind === "list" ? list.items : [];
  const replicas = backend.replicas?.map((replica, index) => ({
    ...compileReplica(replica, items[index] ?? node, sealKeys),
    ...compileShare(replica),
  }));
  const resilience = compileResilience(backend);
  const rules = compileRules(backend);
  const limits = compileBackendLimits(backend.limits);
  const guard = compileGuard(backend.guard);
  return {
    name,
    replicas: replicas ?? [compileReplica(backend, node, sealKeys)],
    isolation: backend.isolation ?? backendDefaults.isolation,
    ...(backend.protocol === undefined || backend.protocol === "auto" ? {} : { protocol: backend.protocol }),
    connectMs: backend.timeouts?.connect ?? backendDefaults.connectMs,
    callMs: backend.timeouts?.call ?? backendDefaults.callMs,
    healthMs: backend.timeouts?.health ?? backendDefaults.healthMs,
    ttlMs: backend.timeouts?.listing ?? backendDefaults.ttlMs,
    ...(backend.timeouts?.handshake === undefined ? {} : { handshakeMs: backend.timeouts.handshake }),
    ...(rules === undefined ? {} : { rules }),
    ...(limits === undefined ? {} : { limits }),
    ...(guard === undefined ? {} : { guard }),
    ...(backend.tags === undefined ? {} : { tags: backend.tags }),
    ...(resilience === undefined ? {} : { resilience }),
  };
}

function compileShare({ weight, zone }: ReplicaConfig): ReplicaShare {
  return { ...(weight === undefined ? {} : { weight }), ...(zone === undefined ? {} : { zone }) };
}

function compileReplica(endpoint: EndpointConfig, node: Node, sealKeys: readonly string[]): ReplicaPlan {
  if (endpoint.url !== undefined) {
    const tls = compileTls(endpoint, node);
    const address = compileUrl(endpoint.url, endpoint.headers ?? {});
    const { transport = "auto", forwardHeaders = [] } = endpoint;
    const forward = [...new Set(forwardHeaders.map((name) => name.toLowerCase()))];
    return {
      kind: "http",
      ...address,
      ...(tls === undefined ? {} : { tls }),
      ...(endpoint.auth === undefined ? {} : { auth: compileOutbound(endpoint.auth, node, sealKeys) }),
      ...(forward.length === 0 ? {} : { forward }),
      ...(transport === "auto" ? {} : { transport }),
    };
  }
  const command = endpoint.command ?? "";
  const { cwd, sandbox } = endpoint;
  return {
    kind: "stdio",
    command: /[/\\]/.test(command) ? resolve(folderOf(node, "command"), command) : command,
    args: endpoint.args ?? [],
    env: endpoint.env ?? {},
    cwd: cwd === undefined ? undefined : resolve(folderOf(node, "cwd"), cwd),
    inheritEnv: endpoint.inheritEnv ?? false,
    ...(sandbox === undefined
      ? {}
      : { sandbox: compileSandbox(sandbox, (path) => resolve(folderOf(node, "sandbox"), path)) }),
  };
}

function compileTls({ tls }: EndpointConfig, node: Node): TlsPlan | undefined {
  if (tls === undefined) return undefined;
  const folder = folderOf(entryOf(node, "tls")?.node ?? node, "ca");
  return { ca: tls.ca === undefined ? undefined : resolve(folder, tls.ca), insecure: tls.insecure ?? false };
}

// Of the file that says it: with several files, each one's paths start from its own folder.
function folderOf(node: Node, key: string): string {
  return (entryOf(node, key)?.node ?? node).place.source.folder;
}

// fetch refuses a URL with credentials, and a URL is what logs and health reports show.
function compileUrl(
  written: string,
  headers: Readonly<Record<string, string>>,
): { url: string; headers: Record<string, string> } {
  const url = new URL(written);
  if (url.username === "" && url.password === "") return { url: url.href, headers: { ...headers } };
  const secret = `${decode(url.username)}:${decode(url.password)}`;
  url.username = "";
  url.password = "";
  return { url: url.href, headers: { ...headers, Authorization: `Basic ${Buffer.from(secret).toString("base64")}` } };
}

// A stray percent sign in a password stands for itself.
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function brand(name: string): BackendName {
  return name as BackendName;
}
