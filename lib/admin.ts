// What operators may do with a running gateway, put together when the first of them asks.

import type { Crew } from "./crew.ts";
import { Admin } from "./front/admin.ts";
import { type Ears, type Enter, tapped } from "./front/tap.ts";
import { maskMessage } from "./ops/mask.ts";
import type { Hub } from "./route/hub.ts";

/** What the gateway lends. */
export interface Controls {
  /** Where this process is one of several workers. */
  readonly crew: Crew | undefined;
  readonly inFlight: () => number;
  readonly drain: () => void;
  /** Puts somebody who listens in the way of requests, or nobody any more. */
  readonly listen: (wrap: ((enter: Enter) => Enter) | undefined) => void;
}

export function createAdmin(hub: Hub, stop: (() => void) | undefined, controls: Controls): Admin {
  let ears: Ears | undefined;
  return new Admin({
    hub,
    stop,
    crew: controls.crew,
    get inFlight() {
      return controls.inFlight();
    },
    drain: () => controls.drain(),
    listen: (watch) => {
      if (ears) ears.watch = undefined;
      const now = watch && { watch };
      ears = now;
      controls.listen(now && ((enter) => tapped(enter, hub, now)));
      // Calls that go straight pass nobody who listens.
      hub.refresh();
    },
    mask: maskMessage,
  });
}
