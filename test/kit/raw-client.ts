// A Streamable HTTP client without an SDK: any header, any body, and the events of a stream as they arrive.

/** One event of a stream. */
export interface SseEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly retry: string | undefined;
  readonly data: string;
}

/** A response whose body has been read as text. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The messages in the body, from JSON or from an event stream, as text. */
  readonly messages: readonly string[];
}

/** A stream that is being read; `await using` drops it. */
export interface RawStream extends AsyncDisposable {
  readonly status: number;
  readonly headers: Headers;
  /** The next event, or `undefined` when the stream has ended. */
  next(): Promise<SseEvent | undefined>;
  /** Drops the connection. */
  close(): Promise<void>;
}

export type HeaderChanges = Readonly<Record<string, string | undefined>>;

const timeoutMs = 60_000;

/** A legacy client that knows its session id once it has initialised. */
export class RawClient {
  readonly url: string;
  sessionId: string | undefined;
  protocolVersion: string | undefined;

  constructor(url: string) {
    this.url = url;
  }

  /** Sends a body and reads the whole answer. A header set to `undefined` is left out. */
  async post(body: string | object, headers: HeaderChanges = {}): Promise<RawResponse> {
    const response = await this.send("POST", body, headers);
    return readResponse(response);
  }

  /** Sends a body and leaves the answer's stream open. */
  async postStream(body: string | object, headers: HeaderChanges = {}): Promise<RawStream> {
    const abort = new AbortController();
    return openStream(await this.send("POST", body, headers, abort.signal), abort);
  }

  /** Opens the GET stream. */
  async get(headers: HeaderChanges = {}): Promise<RawStream> {
    const abort = new AbortController();
    const accept = { accept: "text/event-stream", "content-type": undefined };
    return openStream(await this.send("GET", undefined, { ...accept, ...headers }, abort.signal), abort);
  }

  /** Ends the session. */
  async delete(headers: HeaderChanges = {}): Promise<RawResponse> {
    return readResponse(await this.send("DELETE", undefined, { "content-type": undefined, ...headers }));
  }

  /** Sends a request of the protocol and gives the text of its answer. */
  async request(method: string, params: object = {}, id: string | number = 1): Promise<string> {
    const response = await this.post({ jsonrpc: "2.0", id, method, params });
    const idText = `"id":${JSON.stringify(id)}`;
    const answer = response.messages.findLast((message) => message.replaceAll(/\s/g, "").includes(idText));
    if (answer === undefined) throw new Error(`HTTP ${response.status} and no answer to ${method}: ${response.text}`);
    return answer;
  }

  /** The handshake: `initialize`, the session id, `notifications/initialized`. */
  async initialize(version: string = "2025-11-25", capabilities: object = {}): Promise<string> {
    const clientInfo = { name: "raw-client", version: "1.0.0" };
    const params = { protocolVersion: version, capabilities, clientInfo };
    this.sessionId = undefined;
    this.protocolVersion = undefined;
    const response = await this.post({ jsonrpc: "2.0", id: 0, method: "initialize", params });
    if (response.status !== 200) throw new Error(`HTTP ${response.status} to initialize: ${response.text}`);
    this.sessionId = response.headers.get("mcp-session-id") ?? undefined;
    this.protocolVersion = version;
    await this.post({ jsonrpc: "2.0", method: "notifications/initialized" });
    return response.messages[0] ?? "";
  }

  /** Sends any HTTP request with the headers of this client's session. */
  send(
    method: string,
    body: string | object | undefined,
    changes: HeaderChanges = {},
    signal: AbortSignal = AbortSignal.timeout(timeoutMs),
  ): Promise<Response> {
    const headers = new Headers({
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    });
    if (this.sessionId !== undefined) headers.set("mcp-session-id", this.sessionId);
    if (this.protocolVersion !== undefined) headers.set("mcp-protocol-version", this.protocolVersion);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) headers.delete(name);
      else headers.set(name, value);
    }
    const text = typeof body === "object" ? JSON.stringify(body) : body;
    return fetch(this.url, { method, headers, signal, ...(text !== undefined && { body: text }) });
  }
}

async function readResponse(response: Response): Promise<RawResponse> {
  const text = await response.text();
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const data = isStream ? text.split(/\r?\n\r?\n/).map((block) => parseEvent(block).data) : [text];
  return {
    status: response.status,
    headers: response.headers,
    text,
    messages: data.filter((message) => message !== ""),
  };
}

function openStream(response: Response, abort: AbortController): RawStream {
  const events = readEvents(response);
  const close = async (): Promise<void> => {
    abort.abort();
    await events.return(undefined).catch(() => {});
  };
  return {
    status: response.status,
    headers: response.headers,
    close,
    next: async () => {
      const timer = setTimeout(() => abort.abort(new Error(`no event in ${timeoutMs} ms`)), timeoutMs);
      try {
        const { value, done } = await events.next();
        return done === true ? undefined : value;
      } finally {
        clearTimeout(timer);
      }
    },
    [Symbol.asyncDispose]: close,
  };
}

async function* readEvents(response: Response): AsyncGenerator<SseEvent, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) if (!/^(?::[^\n]*\n?)*$/.test(block)) yield parseEvent(block);
  }
  return undefined;
}

function parseEvent(block: string): SseEvent {
  const fields = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const [, name = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    const before = fields.get(name);
    fields.set(name, name === "data" && before !== undefined ? `${before}\n${value}` : value);
  }
  return {
    id: fields.get("id"),
    event: fields.get("event"),
    retry: fields.get("retry"),
    data: fields.get("data") ?? "",
  };
}
