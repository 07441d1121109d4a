// Reads what a config says of who comes in, without a mistake.

import {
  type Algorithm,
  type AuditConfig,
  auditModes,
  type AuditRuleConfig,
  algorithms,
  type AuthConfig,
  type IntrospectionConfig,
  isDate,
  isPublicUrl,
  isSafeUrl,
  type IssuerConfig,
  type KeyConfig,
  keyHashPattern,
  keyNamePattern,
  type ListenTlsConfig,
  maxSkewMs,
  grants,
  isForwardable,
  isMetadataUrl,
  type OutboundConfig,
  type OutboundTermsConfig,
  scopePattern,
  type SignInConfig,
} from "./rules-auth.ts";
import { fieldsOf, flag, listOf, mapOf, matching, oneOf, quantity, type Reader } from "./readers.ts";
import { byteRange, globPattern, textPattern } from "./rules.ts";
import { pointerPattern } from "./rules-policy.ts";
import { parseDuration, parseSize } from "./units.ts";

const text = matching(textPattern);
const filled: Reader<string> = (value) => (value === "" ? undefined : text(value));
const such = (isGood: (text: string) => boolean): Reader<string> => {
  return (value) => (typeof value === "string" && isGood(value) ? value : undefined);
};
const safeUrl = such(isSafeUrl);
const scopes = listOf(matching(scopePattern));

const issuer = fieldsOf<IssuerConfig>(
  {
    issuer: safeUrl,
    jwks: safeUrl,
    audiences: listOf(filled),
    algorithms: listOf<Algorithm>(oneOf(...algorithms), 1),
    groupsClaim: filled,
    skew: quantity(parseDuration, 0, maxSkewMs),
    introspection: fieldsOf<IntrospectionConfig>({ url: safeUrl, clientId: filled, clientSecret: filled }, [
      "clientId",
      "clientSecret",
    ]),
  },
  ["issuer"],
);

const signIn = fieldsOf<SignInConfig>({
  keys: mapOf(
    matching(keyNamePattern),
    fieldsOf<KeyConfig>({ hash: matching(keyHashPattern), groups: listOf(filled), scopes, expires: such(isDate) }, [
      "hash",
    ]),
  ),
  issuers: listOf(issuer),
  scopes,
  certificates: flag,
});

export const authReader: Reader<AuthConfig> = (value) => (value === "none" ? value : signIn(value));
const outboundTerms = fieldsOf<OutboundTermsConfig>({
  tokenFile: filled,
  grant: oneOf(...grants),
  tokenUrl: safeUrl,
  issuer: safeUrl,
  clientId: filled,
  clientSecret: filled,
  clientMetadataUrl: such(isMetadataUrl),
  scopes,
  resource: filled,
  audience: filled,
  shared: flag,
});
export const outboundReader: Reader<OutboundConfig> = (value) => (value === "oauth" ? value : outboundTerms(value));
export const forwardReader: Reader<readonly string[]> = listOf(such(isForwardable));
const globs = listOf(matching(globPattern));
const auditRule = fieldsOf<AuditRuleConfig>(
  {
    backends: globs,
    tools: globs,
    prompts: globs,
    arguments: oneOf(...auditModes),
    mask: listOf(matching(pointerPattern)),
  },
  ["arguments"],
);
export const auditReader: Reader<AuditConfig> = fieldsOf<AuditConfig>(
  {
    file: filled,
    rotate: quantity(parseSize, ...byteRange),
    arguments: oneOf(...auditModes),
    rules: listOf(auditRule),
  },
  ["file"],
);
export const publicUrlReader: Reader<string> = such(isPublicUrl);
export const listenTlsReader: Reader<ListenTlsConfig> = fieldsOf<ListenTlsConfig>(
  { cert: filled, key: filled, clientCa: filled },
  ["cert", "key"],
);
