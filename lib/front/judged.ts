// Requests that were let in by one plan while another one came into place: they are judged again.

import type { Hub } from "../route/hub.ts";
import type { Answer, HttpReply, HttpRequest } from "./exchange.ts";

/** What judges a request from its head on. */
export type Judge = (request: HttpRequest) => Answer;

/** Whether the plan that let a request in is not the one that holds now. */
export function isStale({ judgedBy }: HttpRequest, { plan }: Hub): boolean {
  return judgedBy !== undefined && judgedBy !== plan;
}

/** Judges a request once more, whose body may have been read. */
export function again(request: HttpRequest, judge: Judge, body: Uint8Array | undefined): Answer {
  if (body) request.restore?.(body);
  return judge(request);
}

/** Goes on with a body that came after its head. */
export async function whenWhole(
  request: HttpRequest,
  body: Promise<Uint8Array>,
  hub: Hub,
  judge: Judge,
  next: (body: Uint8Array) => Answer,
): Promise<HttpReply> {
  const whole = await body;
  return await (isStale(request, hub) ? again(request, judge, whole) : next(whole));
}
