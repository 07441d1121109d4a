// What a config may say of who may use what, as it is read; the plan has the same form.

/** Whoever fits all that is named here. */
export interface RoleConfig {
  /** Globs of ids, like `key:ci` or `token:https://id.example.com#ada`. */
  readonly subjects?: readonly string[] | undefined;
  /** At least one of them. */
  readonly groups?: readonly string[] | undefined;
  /** All of them. */
  readonly scopes?: readonly string[] | undefined;
  /** Globs by JSON Pointer. */
  readonly claims?: Readonly<Record<string, readonly string[]>> | undefined;
}

export type Effect = "allow" | "deny" | "confirm";
export const hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;
export type Hint = (typeof hints)[number];

/** Fits what fits all that is named here; of the four lists of names, one that is named leaves out the other kinds. */
export interface PolicyRuleConfig {
  readonly effect: Effect;
  /** Names of roles. */
  readonly roles?: readonly string[] | undefined;
  readonly backends?: readonly string[] | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly prompts?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  /** Of extensions. */
  readonly methods?: readonly string[] | undefined;
  readonly annotations?: { readonly [Name in Hint]?: boolean | undefined } | undefined;
  /** JSON Schemas by JSON Pointer into the arguments. */
  readonly arguments?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** Calls of one principal, like `10/m`. */
  readonly rate?: string | undefined;
  /** A token that lacks one of them is asked for more. */
  readonly scopes?: readonly string[] | undefined;
}

export interface PolicyConfig {
  readonly default?: "allow" | "deny" | undefined;
  readonly roles?: Readonly<Record<string, RoleConfig>> | undefined;
  readonly rules?: readonly PolicyRuleConfig[] | undefined;
}

export type RolePlan = RoleConfig;
export type PolicyRulePlan = PolicyRuleConfig;

export interface PolicyPlan {
  readonly default: "allow" | "deny";
  readonly roles: Readonly<Record<string, RolePlan>>;
  /** The first one that fits counts. */
  readonly rules: readonly PolicyRulePlan[];
}

/** RFC 6901. */
export const pointerPattern: RegExp = /^(?:\/(?:[^~/]|~[01])*)*$/;
