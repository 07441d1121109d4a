// What a checked config says of who comes in, as a plan.

import { resolve } from "node:path";
import { type AuditPlan, type AuthPlan, authDefaults, type IssuerPlan, type ListenTlsPlan } from "./auth.ts";
import type { OAuthPlan, OutboundPlan } from "./outbound.ts";
import type { Plan } from "./plan.ts";
import type { Config } from "./rules.ts";
import {
  algorithms,
  type IssuerConfig,
  type OutboundConfig,
  type OutboundTermsConfig,
  type SignInConfig,
} from "./rules-auth.ts";
import { entryOf, type Node } from "./tree.ts";

type Door = Pick<Plan, "audit" | "auth" | "policy" | "publicUrl" | "tls">;

/** The parts of the plan that say who may come in, and what for; empty where the config says nothing of it. */
export function compileDoor({ audit, auth, policy, publicUrl, tls }: Config, root: Node): Door {
  return {
    ...(auth === undefined || auth === "none" ? {} : { auth: compileAuth(auth) }),
    ...(audit === undefined ? {} : { audit: compileAudit(audit, entryOf(root, "audit")?.node ?? root) }),
    ...(policy === undefined
      ? {}
      : { policy: { default: policy.default ?? "allow", roles: policy.roles ?? {}, rules: policy.rules ?? [] } }),
    ...(publicUrl === undefined ? {} : { publicUrl: new URL(publicUrl).href.replace(/\/+$/, "") }),
    ...(tls === undefined ? {} : { tls: compileTls(tls, entryOf(root, "tls")?.node ?? root) }),
  };
}

/** Where a backend's token comes from. */
export function compileOutbound(auth: OutboundConfig, node: Node, sealKeys: readonly string[]): OutboundPlan {
  if (auth === "oauth") return compileOAuth({}, "authorization_code", sealKeys);
  const { tokenFile, grant, tokenUrl = "", clientId = "", clientSecret = "", scopes = [], resource } = auth;
  const isPlain =
    grant === undefined || (grant === "client_credentials" && tokenUrl !== "" && auth.issuer === undefined);
  if (tokenFile === undefined && !isPlain) return compileOAuth(auth, grant, sealKeys);
  if (tokenFile === undefined)
    return {
      kind: "client",
      tokenUrl,
      clientId,
      clientSecret,
      scopes,
      ...(resource === undefined ? {} : { resource }),
    };
  const inner = entryOf(node, "auth")?.node ?? node;
  return { kind: "file", file: resolve((entryOf(inner, "tokenFile")?.node ?? inner).place.source.folder, tokenFile) };
}

function compileOAuth(
  {
    tokenUrl,
    issuer,
    clientId,
    clientSecret,
    clientMetadataUrl,
    scopes,
    resource,
    audience,
    shared,
  }: OutboundTermsConfig,
  grant: OAuthPlan["grant"],
  sealKeys: readonly string[],
): OAuthPlan {
  return {
    kind: "oauth",
    grant,
    ...(tokenUrl === undefined ? {} : { tokenUrl }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    scopes: scopes ?? [],
    ...(resource === undefined ? {} : { resource }),
    ...(audience === undefined ? {} : { audience }),
    shared: shared ?? false,
    sealKeys,
  };
}

function compileAuth({ keys = {}, issuers = [], scopes = [], certificates = false }: SignInConfig): AuthPlan {
  return {
    keys: Object.entries(keys).map(([name, key]) => ({
      name,
      hash: key.hash.slice("sha256:".length),
      groups: key.groups ?? [],
      scopes: key.scopes ?? [],
      expiresAt: key.expires === undefined ? Infinity : Date.parse(key.expires),
    })),
    issuers: issuers.map(compileIssuer),
    scopes,
    certificates,
  };
}

function compileIssuer({ issuer, jwks, introspection, ...rest }: IssuerConfig): IssuerPlan {
  return {
    issuer,
    ...(jwks === undefined ? {} : { jwks }),
    audiences: rest.audiences ?? [],
    algorithms: rest.algorithms ?? algorithms,
    groupsClaim: rest.groupsClaim ?? authDefaults.groupsClaim,
    skewMs: rest.skew ?? authDefaults.skewMs,
    ...(introspection === undefined
      ? {}
      : {
          introspection: {
            ...(introspection.url === undefined ? {} : { url: introspection.url }),
            clientId: introspection.clientId,
            clientSecret: introspection.clientSecret,
          },
        }),
  };
}

function compileAudit(
  { file, rotate, arguments: otherwise = "off", rules = [] }: NonNullable<Config["audit"]>,
  node: Node,
): AuditPlan {
  const { folder } = (entryOf(node, "file")?.node ?? node).place.source;
  const isAsked = [otherwise, ...rules.map((rule) => rule.arguments)].some((mode) => mode !== "off");
  return {
    file: resolve(folder, file),
    maxBytes: rotate ?? authDefaults.auditBytes,
    ...(isAsked ? { arguments: { otherwise, rules } } : {}),
  };
}

function compileTls({ cert, key, clientCa }: NonNullable<Config["tls"]>, node: Node): ListenTlsPlan {
  // Of the file that says it: with several files, each one's paths start from its own folder.
  const file = (name: string, written: string): string =>
    resolve((entryOf(node, name)?.node ?? node).place.source.folder, written);
  return {
    cert: file("cert", cert),
    key: file("key", key),
    ...(clientCa === undefined ? {} : { clientCa: file("clientCa", clientCa) }),
  };
}
