// Workers of one supervisor, all inside the test: gateways that reach each other, and what they keep together.
import { Exchange, IpcWire } from "../../lib/cluster/ipc.ts";
import { Memory } from "../../lib/cluster/memory.ts";
import type { Supervisor } from "../../lib/crew.ts";
import type { Gateway } from "../../lib/gateway.ts";
import { createGateway, type Settings } from "../front/kit.ts";

const nobody = (): Promise<never> => Promise.reject(new Error("nobody asks for this"));

export class Workers implements AsyncDisposable {
  readonly gateways: readonly Gateway[];
  readonly #memory: Memory;

  private constructor(gateways: readonly Gateway[], memory: Memory) {
    this.gateways = gateways;
    this.#memory = memory;
  }

  /** `asked` hears what they ask of their supervisor, which answers when that has resolved; `to`: its first word. */
  static async start(
    count: number,
    settings: Settings,
    asked: (operation: string, place: number, to: string) => Promise<unknown> | undefined = () => undefined,
  ): Promise<Workers> {
    const memory = new Memory();
    const exchange = new Exchange(memory, () => undefined);
    const supervisorOf = (place: number): Supervisor => {
      const above = { say: (words: readonly unknown[]) => queueMicrotask(() => void wire.take(words)) };
      const say = (words: readonly unknown[]): void => {
        const hold = asked(String(words[2]), place, String(words[3]));
        if (hold) void hold.then(() => exchange.take(above, words));
        else exchange.take(above, words);
      };
      const wire = new IpcWire({ say });
      const crew = { place, count, metrics: nobody, measures: () => {}, farewell: () => Promise.resolve() };
      return {
        terms: { place, count, port: undefined, sealKey: "" },
        wire,
        crew: { ...crew, door: () => {}, exchange: nobody },
        say: () => {},
      };
    };
    const plan = { sealKeys: ["the key of all of them"], ...settings.plan };
    const gateways: Gateway[] = [];
    for (let place = 0; place < count; place += 1)
      gateways.push(
        await createGateway({ ...settings, plan, supervisor: supervisorOf(place) }, settings.backends ?? {}),
      );
    return new Workers(gateways, memory);
  }

  at(place: number): Gateway {
    const gateway = this.gateways[place];
    if (!gateway) throw new Error("there is no such worker");
    return gateway;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.close()));
    this.#memory[Symbol.dispose]();
  }
}
