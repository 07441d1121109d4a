// Reads a config without a mistake. The schema says the same and can explain itself, but its library takes as long to load
// as the rest of the program: it is asked only about a config that is refused here.

import { catalogFields, rulesFields } from "./accept-catalog.ts";
import { guardReader, sandboxReader } from "./accept-guard.ts";
import { backendLimitsReader, limitsReader } from "./accept-limits.ts";
import { observeFields } from "./accept-observe.ts";
import { clusterReader } from "./accept-cluster.ts";
import { policyReader } from "./accept-policy.ts";
import {
  auditReader,
  authReader,
  listenTlsReader,
  forwardReader,
  outboundReader,
  publicUrlReader,
} from "./accept-auth.ts";
import {
  anyText,
  type Fields,
  fieldsOf,
  flag,
  integer,
  listOf,
  mapOf,
  matching,
  oneOf,
  quantity,
  type Reader,
} from "./readers.ts";
import {
  type BackendConfig,
  type BackendTimeouts,
  balancePattern,
  type BreakerConfig,
  type CacheConfig,
  codeRange,
  type ConcurrencyConfig,
  byteRange,
  type Config,
  type EndpointConfig,
  type FrontConfig,
  globPattern,
  type HedgeConfig,
  hostPattern,
  type ListenConfig,
  maxAttempts,
  maxCount,
  maxDelayMs,
  maxPort,
  maxWeight,
  type OutlierConfig,
  readAddress,
  protocolPattern,
  type ReplicaConfig,
  type RetryConfig,
  pathPattern,
  sealKeyPattern,
  textPattern,
  type TimeoutConfig,
  type TlsConfig,
  type ToolTimeouts,
} from "./rules.ts";
import { parseDuration, parseShare, parseSize } from "./units.ts";

const text = matching(textPattern);
const filled: Reader<string> = (value) => (value === "" ? undefined : text(value));
const texts = listOf(text);
const textMap = mapOf(text, text);
const duration = (minMs: number): Reader<number> => quantity(parseDuration, minMs, maxDelayMs);
const size = quantity(parseSize, ...byteRange);

const share = quantity(parseShare, 0, 1);
const count = integer(1, maxCount);
const globs = listOf(matching(globPattern));
const toolTimes = { call: duration(1), first: duration(0), idle: duration(0) };

const endpointFields: Fields<EndpointConfig> = {
  command: filled,
  args: texts,
  env: textMap,
  cwd: filled,
  inheritEnv: flag,
  sandbox: sandboxReader,
  url: filled,
  headers: textMap,
  tls: fieldsOf<TlsConfig>({ ca: filled, insecure: flag }),
  auth: outboundReader,
  forwardHeaders: forwardReader,
  transport: oneOf("auto", "streamable", "sse"),
};

const backendFields: Fields<BackendConfig> = {
  ...rulesFields,
  ...endpointFields,
  replicas: listOf(fieldsOf<ReplicaConfig>({ ...endpointFields, weight: integer(1, maxWeight), zone: filled }), 1),
  balance: matching(balancePattern),
  healthPath: matching(pathPattern),
  retry: fieldsOf<RetryConfig>({
    attempts: integer(1, maxAttempts),
    budget: share,
    wait: duration(0),
    tools: globs,
  }),
  breaker: fieldsOf<BreakerConfig>({
    failures: count,
    rate: share,
    minCalls: count,
    window: duration(1),
    open: duration(1),
    maxOpen: duration(1),
    trials: count,
    codes: listOf(integer(...codeRange)),
    perTool: flag,
    disabled: flag,
  }),
  concurrency: fieldsOf<ConcurrencyConfig>({
    inFlight: count,
    queued: integer(0, maxCount),
    inFlightEach: count,
    queuedEach: integer(0, maxCount),
  }),
  hedge: fieldsOf<HedgeConfig>({ after: share, min: duration(0), share }),
  outliers: fieldsOf<OutlierConfig>({
    errorRate: share,
    slowness: integer(2, maxWeight),
    min: duration(0),
    minCalls: count,
    eject: duration(1),
    share,
    ramp: duration(0),
    disabled: flag,
  }),
  cache: fieldsOf<CacheConfig>({ size, stale: duration(0) }),
  isolation: oneOf("principal", "session", "shared"),
  protocol: matching(protocolPattern),
  timeouts: fieldsOf<BackendTimeouts>({
    listing: duration(0),
    ...toolTimes,
    connect: duration(1),
    handshake: duration(1),
    health: duration(0),
    ping: duration(1),
    down: duration(1),
    tools: mapOf(matching(globPattern), fieldsOf<ToolTimeouts>(toolTimes)),
  }),
  limits: backendLimitsReader,
  guard: guardReader,
  disabled: flag,
};

const listenMap = fieldsOf<ListenConfig>({ host: matching(hostPattern), port: integer(0, maxPort) });

const topFields: Fields<Config> = {
  $schema: anyText,
  auth: authReader,
  audit: auditReader,
  policy: policyReader,
  publicUrl: publicUrlReader,
  tls: listenTlsReader,
  listen,
  naming: oneOf("prefix", "none", "conflict"),
  zone: filled,
  priority: texts,
  // Their names are checked elsewhere, for both readers.
  backends: mapOf(anyText, fieldsOf<BackendConfig>(backendFields)),
  front: fieldsOf<FrontConfig>({ sse: flag }),
  timeouts: fieldsOf<TimeoutConfig>({
    drain: duration(0),
    list: duration(0),
    grace: duration(0),
    resume: duration(0),
    keepAlive: duration(1),
    session: duration(1),
    input: duration(1),
  }),
  limits: limitsReader,
  allowedHosts: listOf(filled),
  allowedOrigins: listOf(filled),
  sealKeys: listOf(matching(sealKeyPattern)),
  cluster: clusterReader,
  ...catalogFields,
  ...observeFields,
};

export const backendKeys: ReadonlySet<string> = new Set(Object.keys(backendFields));
/** Also those of other clients' files, which are translated before a config is read. */
export const topKeys: ReadonlySet<string> = new Set([...Object.keys(topFields), "mcpServers", "servers"]);

/** The config that a plain value is, exactly as the schema reads it; undefined where the schema must be asked. */
export const acceptConfig: Reader<Config> = fieldsOf<Config>(topFields);

function listen(value: unknown): ListenConfig | undefined {
  return typeof value === "object" ? listenMap(value) : readAddress(value);
}
