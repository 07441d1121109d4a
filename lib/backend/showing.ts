// Requests that show a credential: one that is not accepted is replaced once, and the request sent again.

import type { Scope } from "../core/scope.ts";
import type { HttpReply } from "./pool.ts";
import type { Credential } from "./shown.ts";

/** A request, and what it shows. */
export interface Showing {
  readonly shown: string | undefined;
  readonly reply: Promise<HttpReply>;
}

/** Sends a request; nothing was executed where the first answer is that the credential is no good, or has too few rights. */
export async function showing(credential: Credential, scope: Scope, send: () => Showing): Promise<HttpReply> {
  if (credential.isNeeded) await scope.race(credential.acquire());
  // Another request may have brought another one before the answer is here.
  const { shown, reply } = send();
  const first = await reply;
  if (!(await mayRetry(first, credential, shown))) return first;
  first.body.cancel();
  if (credential.isNeeded) await scope.race(credential.acquire());
  return await send().reply;
}

function mayRetry(
  { status, headers }: HttpReply,
  credential: Credential,
  shown: string | undefined,
): boolean | Promise<boolean> {
  const challenge = headers.get("www-authenticate");
  if (status === 403) return credential.widen?.(shown, challenge) ?? false;
  if (status === 401) credential.refuse(shown, challenge);
  return status === 401;
}

/** An answer that {@link showing} might have changed. */
export function isUnshown({ status, headers }: HttpReply): boolean {
  return status === 401 || (status === 403 && headers.get("www-authenticate")?.includes("insufficient_scope") === true);
}
