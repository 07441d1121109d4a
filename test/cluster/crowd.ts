// Many clients of a gateway at once: sessions with streams, modern subscriptions, and calls at a steady rate; whoever loses
// a stream comes back, as clients do, and everything that fails or is missed is written down.
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { recordOf, until } from "../e2e/kit.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { RawClient, type RawStream } from "../kit/raw-client.ts";

export interface CrowdOptions {
  readonly url: string;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly callsPerSecond: number;
  /** How often a call is sent that may be, where its connection breaks; 3 unless told, as clients do. */
  readonly attempts?: number;
}

const uri = "test://watched-resource";
const retryMs = 30;

/** One listener: when its stream was acknowledged last, and when it was told of a change last. */
interface Ear {
  readonly name: string;
  openedAt: number;
  toldAt: number;
}

export class Crowd implements AsyncDisposable {
  readonly failures: string[] = [];
  /** Streams that were opened, the first ones included. */
  opened = 0;
  calls = 0;
  readonly #options: CrowdOptions;
  readonly #clients: RawClient[] = [];
  readonly #ears: Ear[] = [];
  readonly #streams = new Set<RawStream>();
  readonly #work: Promise<void>[] = [];
  #isOver = false;

  private constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Resolves when all sessions are there and all streams are open. */
  static async gather(options: CrowdOptions): Promise<Crowd> {
    const crowd = new Crowd(options);
    for (let at = 0; at < options.sessions; at += 1) {
      const client = new RawClient(options.url);
      await client.initialize();
      crowd.#clients.push(client);
      const ear: Ear = { name: `session ${at}`, openedAt: 0, toldAt: 0 };
      crowd.#ears.push(ear);
      crowd.#work.push(crowd.#listen(client, ear));
      await client.request("resources/subscribe", { uri });
    }
    for (let at = 0; at < options.subscriptions; at += 1) {
      const ear: Ear = { name: `subscription ${at}`, openedAt: 0, toldAt: 0 };
      crowd.#ears.push(ear);
      crowd.#work.push(crowd.#subscribe(ear));
    }
    await until(() => crowd.#ears.every(({ openedAt }) => openedAt > 0), "all streams are open", 30_000);
    crowd.#work.push(crowd.#load());
    return crowd;
  }

  /** Changes the resource; resolves when everybody who listened heard of it, or has come back since and looked. */
  async touch(): Promise<void> {
    const at = Date.now();
    const [client] = this.#clients;
    if (!client) return;
    await this.#repeat(client, "b__touch", { uri });
    const isDeaf = ({ toldAt, openedAt, name }: Ear): boolean =>
      toldAt < at && !(name.startsWith("subscription") && openedAt > at);
    await until(() => !this.#ears.some(isDeaf), "everybody is told", 20_000).catch(() => {
      const deaf = this.#ears.filter(isDeaf).map(({ name }) => name);
      this.failures.push(`${deaf.length} were not told: ${deaf.slice(0, 5).join(", ")}`);
    });
  }

  /** A session that every process has to know still. */
  async check(): Promise<void> {
    for (const client of this.#clients) {
      const { status } = await client.post({ jsonrpc: "2.0", id: 1, method: "ping" });
      if (status !== 200) this.failures.push(`a session was answered with ${status}`);
    }
  }

  /** A call that may be sent twice is, where its connection breaks, as a client does. */
  async #repeat(client: RawClient, name: string, args: object): Promise<void> {
    const request = { jsonrpc: "2.0", id: randomUUID(), method: "tools/call", params: { name, arguments: args } };
    for (let left = this.#options.attempts ?? 3; left > 0; left -= 1) {
      try {
        const { status, text } = await client.post(request);
        if (status === 200 && text.includes('"result"')) return;
        if (left === 1 || status !== 502) return void this.failures.push(`${name}: ${status} ${text.slice(0, 300)}`);
      } catch (error) {
        if (left === 1) this.failures.push(`${name}: ${String(error)}`);
      }
      await pause(retryMs);
    }
  }

  async #load(): Promise<void> {
    const everyMs = 1000 / this.#options.callsPerSecond;
    const open = new Set<Promise<void>>();
    const start = performance.now();
    for (let next = 0; !this.#isOver; next += 1) {
      const waitMs = start + next * everyMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      const client = this.#clients[next % this.#clients.length];
      if (!client) return;
      this.calls += 1;
      const call = this.#repeat(client, "b__echo", { text: `n${next}` }).finally(() => open.delete(call));
      open.add(call);
    }
    await Promise.all(open);
  }

  async #listen(client: RawClient, ear: Ear): Promise<void> {
    let last: string | undefined;
    while (!this.#isOver) {
      try {
        await using stream = await client.get(last === undefined ? {} : { "last-event-id": last });
        if (stream.status === 404) this.failures.push(`${ear.name} is lost`);
        if (stream.status === 200) {
          this.#streams.add(stream);
          this.opened += 1;
          ear.openedAt = Date.now();
          last = (await this.#hear(stream, ear)) ?? last;
          this.#streams.delete(stream);
        }
      } catch {
        // It comes back.
      }
      await pause(retryMs);
    }
  }

  async #subscribe(ear: Ear): Promise<void> {
    const client = new RawClient(this.#options.url);
    while (!this.#isOver) {
      const filter = { notifications: { resourceSubscriptions: [uri] } };
      const { body, headers } = modernRequest("subscriptions/listen", filter, { id: randomUUID() });
      try {
        await using stream = await client.postStream(body, headers);
        if (stream.status === 200) {
          this.#streams.add(stream);
          this.opened += 1;
          await this.#hear(stream, ear);
          this.#streams.delete(stream);
        }
      } catch {
        // It comes back.
      }
      await pause(retryMs);
    }
  }

  /** Resolves to the id of the last event when the stream has ended. */
  async #hear(stream: RawStream, ear: Ear): Promise<string | undefined> {
    let last: string | undefined;
    const isQuiet = (error: unknown): undefined => void String(error);
    for (;;) {
      const event = await stream.next().catch(isQuiet);
      if (!event) return last;
      last = event.id ?? last;
      const { method } = event.data === "" ? {} : recordOf(JSON.parse(event.data));
      if (method === "notifications/subscriptions/acknowledged") ear.openedAt = Date.now();
      if (method === "notifications/resources/updated") ear.toldAt = Date.now();
    }
  }

  /** Ends the load and all streams. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#streams].map((stream) => stream.close()));
    await Promise.all(this.#work);
  }
}
