// The branded strings of the program: values of the same shape that must not be mixed up.

declare const brand: unique symbol;
type Brand<Name extends string> = string & { readonly [brand]: Name };

/** Name of a backend as the config gives it. */
export type BackendName = Brand<"BackendName">;
/** Name of a tool, prompt or resource as the gateway's clients see it. */
export type ExposedName = Brand<"ExposedName">;
/** Name of a tool, prompt or resource at its backend. */
export type LocalName = Brand<"LocalName">;
/** Sealed identifier of a legacy client's session. */
export type SessionId = Brand<"SessionId">;

/** The four kinds of item that a catalog lists. */
export type ListingKind = "tools" | "prompts" | "resources" | "resourceTemplates";

/** How much upstream state is shared: one set of links per principal, per session, or one for all. */
export type Isolation = "principal" | "session" | "shared";
