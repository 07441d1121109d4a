// What a config file may say of who comes in, as a schema.

import * as z from "zod";
import { authDefaults } from "./auth.ts";
import {
  type AuditConfig,
  auditModes,
  type AuthConfig,
  algorithms,
  datePattern,
  isDate,
  isPublicUrl,
  isSafeUrl,
  keyHashPattern,
  keyNamePattern,
  type ListenTlsConfig,
  maxSkewMs,
  grants,
  isForwardable,
  isMetadataUrl,
  type OutboundConfig,
  scopePattern,
} from "./rules-auth.ts";
import { globPattern } from "./rules.ts";
import { pointerPattern } from "./rules-policy.ts";
import { duration, filled, flag, size, strict, text } from "./schema-values.ts";

const scope = text.regex(scopePattern, { error: "expected a scope: no blanks, quotes or backslashes" });
const safeError = "expected an https address (or http on this machine), without user, query and fragment";
const safeUrl = z.string({ error: safeError }).refine(isSafeUrl, { error: safeError });

const key = strict({
  hash: text
    .regex(keyHashPattern, { error: "expected sha256: and 64 hex digits, as mcpctl auth key create prints it" })
    .describe("SHA-256 of the key; the key itself is nowhere in the config."),
  groups: z.array(filled).optional().describe("Groups of whoever holds the key."),
  scopes: z.array(scope).optional().describe("Scopes of whoever holds the key."),
  expires: text
    .regex(datePattern, { error: 'expected a date like "2030-12-31"' })
    .refine(isDate, { error: "there is no such date" })
    .optional()
    .describe("Day, or time in UTC, from which on the key is refused."),
});

const introspection = strict({
  url: safeUrl.optional().describe("Where tokens are looked up; left out: as the issuer's metadata says."),
  clientId: filled.describe("Name of the gateway at the issuer."),
  clientSecret: filled.describe("Secret of the gateway at the issuer."),
});

const issuer = strict({
  issuer: safeUrl.describe("Identifier of the authorization server, exactly as its tokens name it."),
  jwks: safeUrl.optional().describe("Where its public keys are; left out: as its metadata says."),
  audiences: z
    .array(filled)
    .optional()
    .describe("Audiences that are accepted beside the gateway's own address, for issuers that cannot name that."),
  algorithms: z
    .array(z.enum(algorithms))
    .min(1, { error: "must not be empty" })
    .optional()
    .describe("Signatures that are accepted; left out: all that have a public key."),
  groupsClaim: filled
    .optional()
    .meta({ fallback: authDefaults.groupsClaim })
    .describe("Claim that lists the groups of the subject."),
  skew: duration(authDefaults.skewMs, 0)
    .refine((ms) => (ms ?? 0) <= maxSkewMs, { error: 'expected a duration of at most "5m"' })
    .describe("How far the issuer's clock may be off."),
  introspection: introspection.optional().describe("Asks the issuer about tokens that are not signed (RFC 7662)."),
});

const signIn = strict({
  keys: z.record(text.regex(keyNamePattern), key).optional().describe("API keys by name; see mcpctl auth key create."),
  issuers: z.array(issuer).optional().describe("Authorization servers whose access tokens are accepted (OAuth 2.1)."),
  scopes: z.array(scope).optional().describe("Scopes without which no token is let in."),
  certificates: flag.optional().meta({ fallback: false }).describe("Let in who shows a certificate of tls.clientCa."),
});

const metadataError = "expected an https address with a path, without user, query and fragment";

const outboundTerms = strict({
  tokenFile: filled
    .optional()
    .describe("File with a token, relative to the folder of this file; read again when it changes."),
  grant: z
    .enum(grants)
    .optional()
    .describe(
      "How tokens are come by: people sign in (authorization_code), the gateway does (client_credentials), or the caller's token is traded in (token_exchange).",
    ),
  tokenUrl: safeUrl
    .optional()
    .describe(
      "Token endpoint of the issuer; with clientId and clientSecret alone it gives tokens to the gateway itself.",
    ),
  issuer: safeUrl
    .optional()
    .describe("The only authorization server that is believed; left out: the one that the server names."),
  clientId: filled
    .optional()
    .describe("Name of the gateway there; left out: clientMetadataUrl, or it registers itself."),
  clientSecret: filled.optional().describe("Secret of the gateway there."),
  clientMetadataUrl: z
    .string({ error: metadataError })
    .refine(isMetadataUrl, { error: metadataError })
    .optional()
    .describe("Where a document says who the gateway is, for authorization servers that read such."),
  scopes: z.array(scope).optional().describe("Scopes that are asked for."),
  resource: filled.optional().describe("What the token is for; left out: what the server says, or its url."),
  audience: filled.optional().describe("Name of the server at the issuer, for token_exchange."),
  shared: flag
    .optional()
    .meta({ fallback: false })
    .describe("One login of an operator serves all clients; otherwise each principal signs in."),
});

/** Of an endpoint with a url. */
export const outbound: z.ZodType<OutboundConfig> = z.union([z.literal("oauth"), outboundTerms], {
  error: 'expected "oauth" or a map of where the token comes from',
});

const forwardError = "expected the name of a header that is not one of the connection or of the protocol";
export const forwarded: z.ZodType<readonly string[]> = z.array(
  z.string({ error: forwardError }).refine(isForwardable, { error: forwardError }),
);

const globs = z.array(text.regex(globPattern, { error: "expected a name, with * for any part" })).optional();

const auditRule = strict({
  backends: globs.describe("Backends that it is about."),
  tools: globs.describe("Tools, by their names at the backend."),
  prompts: globs.describe("Prompts, by their names at the backend."),
  arguments: z.enum(auditModes).describe("What is written of the arguments of a call that fits."),
  mask: z
    .array(text.regex(pointerPattern, { error: 'expected a JSON Pointer like "/path"' }))
    .optional()
    .describe("JSON Pointers to what is never written, beside whatever has the name or the look of a secret."),
});

const publicError = "expected an http or https address without user, query and fragment";

/** Keys of the whole config. */
export const frontShape: {
  readonly audit: z.ZodType<AuditConfig | undefined>;
  readonly auth: z.ZodType<AuthConfig | undefined>;
  readonly publicUrl: z.ZodType<string | undefined>;
  readonly tls: z.ZodType<ListenTlsConfig | undefined>;
} = {
  auth: z
    .union([z.literal("none"), signIn], { error: 'expected "none" or a map of keys, issuers or certificates' })
    .optional()
    .describe("Who may come in: none for everybody who can reach the address, or the ways to sign in."),
  audit: strict({
    file: filled.describe("Where a line is added for each call, relative to the folder of this file."),
    rotate: size(authDefaults.auditBytes).describe("A file that is larger is put aside, and a new one begins."),
    arguments: z
      .enum(auditModes)
      .optional()
      .meta({ fallback: "off" })
      .describe("What is written of arguments: nothing, their hash (hashed), or all but secrets (full)."),
    rules: z
      .array(auditRule)
      .optional()
      .describe("The same by backend, tool and prompt, with what is masked; the first rule that fits counts."),
  })
    .optional()
    .describe("Writes down who called what, and what became of it."),
  publicUrl: z
    .string({ error: publicError })
    .refine(isPublicUrl, { error: publicError })
    .optional()
    .describe("Address under which clients reach the gateway, without /mcp; tokens are made for it."),
  tls: strict({
    cert: filled.describe("PEM file of the certificate and those that lead to it; read again when it changes."),
    key: filled.describe("PEM file of its private key."),
    clientCa: filled.optional().describe("PEM file of the authorities that clients' certificates must be from."),
  })
    .optional()
    .describe("Serve HTTPS, with these files, relative to the folder of this file."),
};
