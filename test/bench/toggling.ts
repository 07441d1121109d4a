// One mcpctl whose config changes between loads: two processes differ by more than what is to be measured here.
import { once } from "node:events";
import { type FSWatcher, readFileSync, renameSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuBetween, readCpu, treeOf } from "./cpu.ts";
import type { Endpoint, Field, Mcpctl } from "./field.ts";
import type { Load } from "./load.ts";
import { sleep } from "./programs.ts";

type Settings = Readonly<Record<string, object>>;

/** For what is done after a load that belongs to it, as sending what was gathered. */
const settleMs = 100;
const patienceMs = 20_000;

export class Toggled {
  readonly #field: Field;
  readonly #way: Mcpctl;
  readonly #name: string;
  readonly #settings: Settings;
  readonly #config: Readonly<Record<string, unknown>>;
  #changes = 0;

  private constructor(field: Field, way: Mcpctl, name: string, settings: Settings) {
    this.#field = field;
    this.#way = way;
    this.#name = name;
    this.#settings = settings;
    const config: unknown = JSON.parse(readFileSync(this.#file, "utf8"));
    this.#config = typeof config === "object" && config !== null ? { ...config } : {};
  }

  /** `settings`: what is added to the config, by what it is called. It begins without any of them. */
  static async start(
    field: Field,
    name: string,
    backends: Readonly<Record<string, Endpoint>>,
    settings: Settings,
  ): Promise<Toggled> {
    const way = await field.startMcpctl(name, backends);
    await field.awaitReady(way);
    return new Toggled(field, way, name, settings);
  }

  stop(): Promise<void> {
    return this.#way.stop();
  }

  /** Processor time of a call with these settings, µs: from where they hold to where they hold no more. */
  async cpuPerRequest(via: string, load: Load): Promise<number> {
    await this.#change(this.#settings[via] ?? {});
    const tree = treeOf(this.#way.pid, this.#field.peer.path);
    const before = readCpu(tree);
    const { requests } = await this.#field.peer.load(this.#way, load);
    await this.#change({});
    await sleep(settleMs);
    return cpuBetween(before, readCpu(tree)) / requests;
  }

  async #change(settings: object): Promise<void> {
    const applied = this.#applied;
    using log = new Watched(this.#log);
    // Also where nothing else changes: all that is measured has its change before and after it.
    this.#changes += 1;
    const text = JSON.stringify({ ...this.#config, ...settings }) + "\n".repeat(this.#changes);
    // A file that comes as a whole is read sooner than one that is written in place.
    writeFileSync(`${this.#file}.new`, text);
    renameSync(`${this.#file}.new`, this.#file);
    while (this.#applied === applied) await log.changed("mcpctl does not take its changed config");
  }

  get #file(): string {
    return join(this.#field.stage.folder, `${this.#name}.json`);
  }

  get #log(): string {
    return join(this.#field.stage.folder, `${this.#name}.log`);
  }

  /** How often it has said that a config is in place. */
  get #applied(): number {
    return readFileSync(this.#log, "utf8").split("config applied").length;
  }
}

/** A file that others write to; what happens from here on is not missed. */
class Watched implements Disposable {
  readonly #watcher: FSWatcher;

  constructor(file: string) {
    this.#watcher = watch(file);
  }

  /** Resolves when it is written to; rejects with what is the matter where that takes too long. */
  async changed(otherwise: string): Promise<void> {
    await once(this.#watcher, "change", { signal: AbortSignal.timeout(patienceMs) }).catch(() => {
      throw new Error(otherwise);
    });
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}
