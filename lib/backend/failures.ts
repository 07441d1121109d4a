// Why a call on a link failed, and whether it may have been executed.

import { asGatewayError, GatewayError } from "../core/errors.ts";
import { concernsBackend } from "../resilience/classes.ts";

/** The same failure with the backend's name. */
export function named(backend: string, error: unknown): GatewayError {
  const failure = asGatewayError(error);
  if (failure.backend === backend) return failure;
  const { code, message, data, cause } = failure;
  return new GatewayError(code, `backend "${backend}": ${message}`, { backend, data, cause });
}

/** A call that never left, because of `error`. */
export function notSent(backend: string, error: GatewayError): GatewayError {
  const { message, data } = error;
  return new GatewayError("unreachable", message, { backend, cause: error, data: { ...data, sent: false } });
}

/** The wire gave up its reply before the answer. */
export function unanswered(backend: string): GatewayError {
  const message = `backend "${backend}" ended its reply before the result came`;
  return new GatewayError("lost", message, { backend, data: { sent: true } });
}

export function noMessage(backend: string, why: string): GatewayError {
  const message = `backend "${backend}" answered with something that is no JSON-RPC message: ${why}`;
  return new GatewayError("badProtocol", message, { backend, data: { sent: true } });
}

/** The gateway itself ended the link. */
export function linkClosed(backend: string): GatewayError {
  return new GatewayError("draining", `the link to "${backend}" was closed`);
}

/** The link that was chosen has ended since. */
export function linkGone(backend: string): GatewayError {
  const text = `the link to "${backend}" ended before the call was sent`;
  return new GatewayError("unreachable", text, { backend, data: { sent: false } });
}

/** No link can be had, because of `error`; `retryAfterMs`: until somebody looks again. */
export function unavailable(backend: string, error: GatewayError, retryAfterMs: number): GatewayError {
  // What is missing is a person, who must hear of it.
  if (error.code === "loginRequired") return error;
  const text = `backend "${backend}" is unavailable: ${error.message}`;
  const data = { sent: false, cause: error.row.id, retryAfterMs };
  return new GatewayError("unavailable", text, { backend, cause: error, data });
}

/** What was tried before a call failed. */
export interface Tries {
  readonly made: number;
  readonly mayHaveRun: boolean;
  /** The replica that failed last. */
  readonly site: { readonly index: number } | undefined;
}

/** The failure with what its caller needs to decide whether to ask again. */
export function told(error: GatewayError, backend: string, { made, mayHaveRun, site }: Tries): GatewayError {
  if (!concernsBackend(error)) return error;
  const { data } = error;
  // It had no place, or no replica, for as long as it could wait.
  const wasLeftWaiting = error.code === "callTimeout" && made === 0;
  const code = wasLeftWaiting ? "unavailable" : error.code;
  const message = wasLeftWaiting ? `backend "${backend}" could not take the call in its time` : error.message;
  return new GatewayError(code, made > 1 ? `${message} (${made} attempts)` : message, {
    backend,
    cause: error,
    data: {
      ...data,
      sent: mayHaveRun,
      class: mayHaveRun ? "unknown" : "notSent",
      attempts: made,
      ...(site ? { replica: site.index } : {}),
    },
  });
}

/** What could not be sent because the server had ended: that is what people are told. */
export function originOf(thrown: unknown): GatewayError {
  const error = asGatewayError(thrown);
  const { cause } = error;
  return error.code === "unreachable" && cause instanceof GatewayError && cause.code === "exited" ? cause : error;
}
