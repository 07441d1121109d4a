// The public names of the toolbox: what the commands beside `serve` are made of.

import type * as ArgumentChecks from "./ops/argument-checks.ts";
import type * as Documents from "./ops/documents.ts";
import type * as ItemChecks from "./ops/item-checks.ts";
import type * as Logins from "./logins.ts";

export { canI, principalOf, type Question, type Verdict } from "./ops/can-i.ts";
export { verifyAudit } from "./observe/audit.ts";
export { newApiKey } from "./ops/api-key.ts";
export { Evidence } from "./ops/evidence.ts";
export { explain, explainedCodes } from "./ops/explain.ts";
export { describeFailure, type Failure } from "./ops/failure.ts";
export { declares, type ItemKind, itemKinds, type ListedItem, type Page, shorten, tokensOf } from "./ops/pages.ts";
export { lateHandshake, openPeer, type Patience, type Peer, seconds } from "./ops/peer.ts";
export { invalidConfig, parseTarget, resolveTargets, type Target, urlTarget } from "./ops/target.ts";
export { digestOf, isTrusted, keepTrust, needsTrust } from "./ops/trust.ts";
export { Scope, sleep } from "./core/scope.ts";
export { spokenVersions } from "./ops/versions.ts";
export { checkHealth, type RemoteHealth } from "./ops/health.ts";
export { diffLock, type Lock, type LockChange } from "./merge/lock.ts";
export { readLock, writeLock } from "./ops/lock-file.ts";
export { askWhy, describeFlight } from "./ops/why.ts";
export { listServer, type Listed } from "./ops/list.ts";
export { isSecretName, maskArgs, masked, maskMessage, maskUrl, whereabouts } from "./ops/mask.ts";
export { type Checked, checkPages } from "./ops/pagecheck.ts";

/** The schemas of documents; their library takes as long to load as the rest of the program. */
export const loadDocuments = (): Promise<typeof Documents> => import("./ops/documents.ts");
export { type Change, compareSnapshots } from "./merge/changes.ts";
export { checkDeep } from "./ops/deep.ts";
export type { Finding } from "./ops/finding.ts";
export { pluginExits, pluginLine, prometheusPage } from "./ops/monitoring.ts";
export { median, phaseNames, type PhaseName, type ProbeReport, probeServer, type State } from "./ops/probe.ts";
export type { LoginPlace, LoginStatus } from "./backend/logins.ts";

/** Logins of backends; only few commands are about them. */
export const loadLogins = (): Promise<typeof Logins> => import("./logins.ts");
export type { WireTap } from "./backend/tap.ts";

/** Judging schemas needs a library that is large. */
export const loadItemChecks = (): Promise<typeof ItemChecks> => import("./ops/item-checks.ts");
export { readArguments } from "./ops/arguments.ts";
export { findItem, type Part, partsOf, resultOf } from "./ops/invoke.ts";

export const loadArgumentChecks = (): Promise<typeof ArgumentChecks> => import("./ops/argument-checks.ts");
export { type ClientName, clientFile, clientNames, writeClient } from "./config/clients.ts";
export { fixText } from "./config/fix.ts";
export { type Origin, originsOf, loadRaw } from "./config/raw.ts";
export { checkOnline } from "./ops/online.ts";
export { checkPortable } from "./ops/portable.ts";
export { type FoundProblem, toGithub, toJunit, toSarif } from "./ops/problem-forms.ts";
export { importConfig } from "./config/import.ts";
export { drainGateway, tailGateway, upgradeGateway } from "./ops/operate.ts";
export { type Sight, sightOf } from "./ops/sight.ts";
export { knownItems, keepItems } from "./ops/names.ts";
export { acceptTools, chooseTools, keepUnread, listRewordings, type Rewording } from "./ops/relock.ts";
