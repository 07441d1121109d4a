// The plan of who may come in: ways to sign in, and TLS of the front.

import type { Algorithm, AuditMode, AuditRuleConfig } from "./rules-auth.ts";

export interface AuthPlan {
  readonly keys: readonly KeyPlan[];
  readonly issuers: readonly IssuerPlan[];
  /** Scopes without which no token is let in. */
  readonly scopes: readonly string[];
  /** Whether certificates of clients are a way to sign in. */
  readonly certificates: boolean;
}

export interface KeyPlan {
  readonly name: string;
  /** SHA-256 of the key in hex. */
  readonly hash: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** Unix ms; Infinity for a key that stays good. */
  readonly expiresAt: number;
}

export interface IssuerPlan {
  readonly issuer: string;
  /** Absent: as its metadata says. */
  readonly jwks?: string;
  /** Beside the addresses of the gateway. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly Algorithm[];
  readonly groupsClaim: string;
  readonly skewMs: number;
  readonly introspection?: IntrospectionPlan;
}

export interface IntrospectionPlan {
  /** Absent: as the issuer's metadata says. */
  readonly url?: string;
  readonly clientId: string;
  /** Secret. */
  readonly clientSecret: string;
}

export interface AuditPlan {
  /** Absolute. */
  readonly file: string;
  /** A larger file is put aside. */
  readonly maxBytes: number;
  /** Absent where no arguments are written down. */
  readonly arguments?: AuditArgumentsPlan;
}

export interface AuditArgumentsPlan {
  /** Where no rule fits. */
  readonly otherwise: AuditMode;
  /** The first one that fits counts. */
  readonly rules: readonly AuditRuleConfig[];
}

/** Files of the front's TLS, absolute. */
export interface ListenTlsPlan {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

export const authDefaults: { readonly groupsClaim: string; readonly skewMs: number; readonly auditBytes: number } = {
  groupsClaim: "groups",
  skewMs: 30_000,
  auditBytes: 100 * 2 ** 20,
};
