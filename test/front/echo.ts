// A listener whose routes the test writes itself, and the answers that came on a wire.
import type { Handle, HttpReply, HttpRequest } from "../../lib/front/exchange.ts";
import { defaultPatience, type Patience } from "../../lib/front/patience.ts";
import { textReply } from "../../lib/front/reply.ts";
import { type Listener, listen } from "../../lib/listen.ts";
import { openWire, type Wire } from "./wire.ts";

export interface Server extends AsyncDisposable {
  readonly listener: Listener;
  wire(): Promise<Wire>;
}

/** Listens on a free port; the wires that it gives end with it. */
export async function serve(handle: Handle, patience: Partial<Patience> = {}): Promise<Server> {
  const listener = await listen({ host: "127.0.0.1", port: 0, handle, patience: { ...defaultPatience, ...patience } });
  const wires: Wire[] = [];
  return {
    listener,
    wire: async () => {
      const wire = await openWire(Number(listener.url.port));
      wires.push(wire);
      return wire;
    },
    [Symbol.asyncDispose]: async () => {
      for (const wire of wires) wire.socket.destroy();
      await listener.close(true);
    },
  };
}

const maxBodyBytes = 2 ** 20;

/** Says what it was asked: `METHOD path body`. */
export async function echo(request: HttpRequest): Promise<HttpReply> {
  const body = await request.body(maxBodyBytes);
  return textReply(`${request.method} ${request.path} ${Buffer.from(body).toString("latin1")}`, {});
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The complete answers in the text of a wire; `heads` are the requests by HEAD, by their place in the row. */
export function answersIn(text: string, heads: readonly number[] = []): readonly WireAnswer[] {
  const answers: WireAnswer[] = [];
  for (let rest = text; rest !== "";) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) break;
    const [first = "", ...lines] = rest.slice(0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) [A-Z]/.exec(first)?.[1] ?? Number.NaN);
    const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
    const hasBody = status >= 200 && !heads.includes(answers.length);
    const length = hasBody ? Number(headers.get("content-length") ?? 0) : 0;
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length < length) break;
    answers.push({ status, headers, body });
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}

/** Waits for so many answers, or for the end of the connection. */
export async function answersOn(
  wire: Wire,
  count: number,
  heads: readonly number[] = [],
): Promise<readonly WireAnswer[]> {
  await wire.when(`${count} answers`, () => answersIn(wire.text, heads).length >= count || wire.isEnded);
  return answersIn(wire.text, heads);
}

/** Code of the JSON-RPC error in a body. */
export function rpcCode({ body }: WireAnswer): unknown {
  const { jsonrpc, error } = JSON.parse(body) as { jsonrpc?: unknown; error?: { code?: unknown } };
  return jsonrpc === "2.0" ? error?.code : undefined;
}
