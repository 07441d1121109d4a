// Signs somebody in to a backend from a terminal: a listener on this machine, or the address pasted from another one.

import { createServer, type Server, type ServerResponse } from "node:http";
import { describeLogin, type LoginPlace, type LoginStatus } from "../backend/logins.ts";
import { beginLogin, finishLogin, type Flow, takeFlow } from "../backend/oauth-flow.ts";
import { GatewayError } from "../core/errors.ts";
import type { Scope } from "../core/scope.ts";

export interface LoginTerms {
  /** Of the listener; 0 takes a free one. */
  readonly port: number;
  /** Called with the address to open. */
  readonly shows: (url: string, issuer: string) => void;
  /** Lines that somebody types or pastes; ends where nobody does. */
  readonly pasted: AsyncIterable<string>;
  /** Says that a line, or a request, is not the answer that is waited for. */
  readonly refuses: (why: string) => void;
}

/** By whom flows of a terminal are begun. */
const by = "terminal";
const path = "/callback";
const host = "127.0.0.1";
const maxAnswerChars = 16 * 1024;

/** Resolves when somebody has signed in; rejects with `loginFailed`, or the scope's reason. */
export async function loginFrom(place: LoginPlace, terms: LoginTerms, scope: Scope): Promise<LoginStatus> {
  const { site, vault, headers } = place;
  await using door = await Door.open(terms.port);
  const begun = await scope.race(beginLogin(site, vault, { redirectUri: door.url, by, headers }));
  terms.shows(begun.url, begun.issuer);
  const { answer, told } = await scope.race(Promise.race([door.answer(begun.state), paste(begun.state, terms)]));
  try {
    const flow = flowOf(place, begun.state);
    const login = await scope.race(finishLogin(site, vault, flow, answer));
    told?.(true);
    return describeLogin(login, login.who);
  } catch (error) {
    told?.(false);
    throw error;
  }
}

function flowOf({ site, vault }: LoginPlace, state: string): Flow {
  const flow = takeFlow(vault, state);
  if (flow?.by === by && flow.login.backend === site.login.backend) return flow;
  throw new GatewayError("loginFailed", "nobody has begun this login here, or it took too long; begin it again");
}

interface Answer {
  readonly answer: URLSearchParams;
  /** Tells the browser what became of it. */
  readonly told?: (isDone: boolean) => void;
}

/** An answer to what was asked, in what somebody pasted: the address at which the browser ended, or its query. */
function readPasted(line: string, state: string): URLSearchParams | string {
  const text = line.trim();
  if (text === "") return "";
  const url = URL.parse(text);
  const query = (url?.search ?? text).replace(/^[?#]/, "");
  const answer = new URLSearchParams(query.slice(0, maxAnswerChars));
  if (!answer.has("state")) return "that is not the whole address: it has no state; copy all of it";
  if (answer.get("state") !== state) return "that address belongs to another login; paste the one of this login";
  return answer;
}

async function paste(state: string, { pasted, refuses }: LoginTerms): Promise<Answer> {
  for await (const line of pasted) {
    const answer = readPasted(line, state);
    if (typeof answer !== "string") return { answer };
    if (answer !== "") refuses(answer);
  }
  // Nobody types: the browser may still come by itself.
  return await new Promise<never>(() => {});
}

/** Where the browser comes back to, on this machine alone (RFC 8252, section 7.3). */
class Door implements AsyncDisposable {
  readonly #server: Server;
  readonly url: string;
  #state: string | undefined;
  readonly #answer = Promise.withResolvers<Answer>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://${host}:${port}${path}`;
    server.on("request", ({ url = "", method }, response) => this.#take(method ?? "", url, response));
  }

  static async open(port: number): Promise<Door> {
    const server = createServer({ maxHeaderSize: 2 * maxAnswerChars });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        reject(new GatewayError("portInUse", `${host}:${port} cannot be opened: ${error.message}`, { cause: error }));
      });
      server.listen(port, host, resolve);
    });
    const address = server.address();
    return new Door(server, typeof address === "object" && address ? address.port : port);
  }

  answer(state: string): Promise<Answer> {
    this.#state = state;
    return this.#answer.promise;
  }

  #take(method: string, target: string, response: ServerResponse): void {
    const [at, query = ""] = target.split("?", 2);
    if (method !== "GET" || at !== path) return reply(response, 404, "There is nothing here.");
    const answer = new URLSearchParams(query);
    // Whatever else finds this address must neither end the login nor put another one in its place.
    if (this.#state === undefined || answer.get("state") !== this.#state)
      return reply(response, 400, "This is not the answer that is waited for.");
    this.#state = undefined;
    this.#answer.resolve({
      answer,
      told: (isDone) =>
        reply(
          response,
          isDone ? 200 : 502,
          isDone ? "You are signed in. You can close this page." : "The login failed; the terminal says why.",
        ),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeIdleConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
  }
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    connection: "close",
  });
  response.end(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>mcpctl</title><style>body{font:18px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem;color-scheme:light dark}</style></head><body><main><h1>mcpctl</h1><p>${text}</p></main></body></html>\n`,
  );
}
