// What a worker has of its supervisor, beside the way to the other workers.

import process from "node:process";
import { IpcWire } from "./cluster/ipc.ts";
import { GatewayError } from "./core/errors.ts";
import { asRecord } from "./core/text.ts";
import type { Wire } from "./core/wire.ts";
import type { DoorAddress, Written } from "./door.ts";

/** What a worker is told at its start, over a channel that nobody else can read. */
export interface WorkerTerms {
  /** From 0 on; the first one says where they listen. */
  readonly place: number;
  readonly count: number;
  /** Undefined for the first one, which finds it. */
  readonly port: number | undefined;
  /** Where the config has no seal keys. */
  readonly sealKey: string;
}

/** An exchange of all workers for new ones. */
export interface Exchanged {
  readonly round: number;
  readonly state: "running" | "done" | "failed";
  /** Workers that are new. */
  readonly fresh: number;
  readonly count: number;
  readonly why?: string;
}

/** The workers of one supervisor, as one of them sees them. */
export interface Crew {
  readonly place: number;
  readonly count: number;
  /** Those of all workers. */
  metrics(accept: string): Promise<Written>;
  /** How those of this one are written. */
  measures(write: () => Promise<string>): void;
  /** Tells for the last time what was counted here. */
  farewell(): Promise<void>;
  /** Where metrics are wanted at an address of their own, which only the supervisor can open. */
  door(at: DoorAddress | undefined): void;
  /** Begins to exchange all workers, or with a round says how far that is. */
  exchange(round?: number): Promise<Exchanged>;
}

export interface Supervisor {
  readonly terms: WorkerTerms;
  /** The way to the other workers. */
  readonly wire: Wire;
  readonly crew: Crew;
  say(what: "listening" | "ready", port?: number): void;
}

/** The variable by which a process knows that it is a worker. */
export const workerVariable = "MCPCTL_WORKER";

/** For a worker: asks its supervisor what to do; `lost` is called when that is gone. */
export async function meetSupervisor(lost: () => void): Promise<Supervisor> {
  // Its children are not workers.
  delete process.env[workerVariable];
  const say = (words: readonly unknown[]): void => void process.send?.([...words]);
  const wire = new IpcWire({ say });
  const told = Promise.withResolvers<WorkerTerms>();
  const measured: Measured = { write: () => Promise.resolve("") };
  process.on("message", (words: unknown) => {
    if (!Array.isArray(words) || wire.take(words)) return;
    const [what, first]: readonly unknown[] = words;
    if (what === "measure") void measured.write().then((text) => say(["measured", first, text]));
    else if (what === "terms") told.resolve(termsOf(asRecord(first)));
  });
  process.on("disconnect", lost);
  say(["hello"]);
  const terms = await told.promise;
  return { terms, wire, crew: crewOf(terms, wire, say, measured), say: (...words) => say(words) };
}

interface Measured {
  write: () => Promise<string>;
}

function crewOf(
  { place, count }: WorkerTerms,
  wire: IpcWire,
  say: (words: readonly unknown[]) => void,
  measured: Measured,
): Crew {
  const ask = async (...words: readonly [string, ...unknown[]]): Promise<Readonly<Record<string, unknown>>> => {
    const answer = await wire.ask(...words).catch(() => undefined);
    if (answer === undefined) throw new GatewayError("lost", "the supervisor of the workers does not answer");
    return asRecord(answer);
  };
  return {
    place,
    count,
    metrics: async (accept) => {
      const { text, contentType } = await ask("metrics", accept);
      return { text: String(text), contentType: String(contentType) };
    },
    measures: (write) => (measured.write = write),
    farewell: async () => say(["farewell", await measured.write()]),
    door: (at) => say(["door", at]),
    exchange: async (round) => {
      const { state, fresh, why, ...more } = await ask("exchange", round);
      return {
        round: Number(more["round"]),
        state: state === "running" || state === "done" ? state : "failed",
        fresh: Number(fresh),
        count: Number(more["count"]),
        ...(typeof why === "string" ? { why } : {}),
      };
    },
  };
}

function termsOf({ place, count, port, sealKey }: Readonly<Record<string, unknown>>): WorkerTerms {
  return {
    place: Number(place),
    count: Number(count),
    port: typeof port === "number" ? port : undefined,
    sealKey: String(sealKey),
  };
}
