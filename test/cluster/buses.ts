// The processes of a gateway in one: what is sent to all of them is there at once.
import { Bus } from "../../lib/cluster/bus.ts";
import { Sealer } from "../../lib/core/seal.ts";
import type { Wire } from "../../lib/core/wire.ts";

const sealKey = "0123456789abcdef";

/** How many processes a message to all has reached is said when `counted` lets it. */
export function connectBuses(nodes: readonly string[], counted: () => Promise<unknown>): Bus[] {
  const hearers = new Map<string, (text: string) => void>();
  return nodes.map((node) => {
    const wire: Pick<Wire, "node" | "start" | "send"> = {
      node,
      start: (hear) => void hearers.set(node, hear),
      send: async (to, text) => {
        const reached = [...hearers].filter(([name]) => to === undefined || name === to);
        for (const [, hear] of reached) hear(text);
        if (to === undefined) await counted();
        return reached.length;
      },
    };
    const bus = new Bus({ ...unused, ...wire }, new Sealer([sealKey]));
    bus.start(() => {});
    return bus;
  });
}

const never = (): Promise<never> => Promise.reject(new Error("nobody asks for this"));
const unused: Wire = {
  node: "",
  label: "",
  state: { kind: "up", since: 0 },
  start: () => {},
  send: never,
  count: never,
  read: never,
  write: never,
  erase: never,
  lease: never,
  add: never,
  close: () => Promise.resolve(),
};
