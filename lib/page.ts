// Puts together what the status page shows: how the gateway is, how its backends do, and what became of the last calls.

import { errorCodeOf, errorTable } from "./core/errors.ts";
import { StatusPage } from "./front/page.ts";
import type { Status } from "./front/status.ts";
import type { Observing } from "./observing.ts";
import type { Hub } from "./route/hub.ts";

/** Of the last calls. */
const maxCalls = 30;

export function createPage(hub: Hub, status: Status, observing: Observing | undefined): StatusPage {
  return new StatusPage(hub, async () => {
    const [health, figures] = await Promise.all([status.health(), observing?.figures()]);
    const codes = Object.values(health.backends).flatMap(({ error, replicas = [] }) =>
      [error, ...replicas.map((replica) => replica.error)].flatMap((each) => each?.code ?? []),
    );
    return (of) => ({
      at: Date.now(),
      health,
      figures,
      /** What to do, by error code. */
      hints: Object.fromEntries(codes.map((code) => [code, errorTable[errorCodeOf(code)].hint])),
      calls: hub.flights.find(undefined, maxCalls, of),
    });
  });
}
