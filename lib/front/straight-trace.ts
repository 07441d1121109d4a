// A call on the straight way that is recorded: the context of its attempt goes along, in the head and in `params._meta`.

import type { MessageHeaders } from "../backend/flight.ts";
import type { CallTrace, Span } from "../core/trace.ts";
import { contextHeaders, contextMembers } from "../protocol/trace-context.ts";

export interface Recording {
  readonly trace: CallTrace;
  readonly span: Span;
  readonly headers: MessageHeaders;
  /** In ASCII; what the request has behind its progress token where it has one, else behind the name of its tool. */
  readonly members: string;
}

/** Begins to record a call that goes to a backend in one attempt, as it mostly does. */
export function recordingOf(trace: CallTrace, backend: string, tool: string, hasToken: boolean): Recording {
  const span = trace.attempt(backend, "tools/call", tool);
  const members = contextMembers(span.context);
  return {
    trace,
    span,
    headers: contextHeaders(span.context),
    members: hasToken ? `,${members}` : `,"_meta":{${members}}`,
  };
}
