// The one error class and the one table of codes: JSON-RPC code, HTTP status, exit code, and what to do.

export interface ErrorRow {
  /** Stable identifier that people search for. */
  readonly id: `E${number}`;
  /** JSON-RPC error code that a client sees. */
  readonly rpc: number;
  /** HTTP status of the front's answer. */
  readonly http: number;
  /** Exit code of a command that ends with this error. */
  readonly exit: number;
  /** True where nothing was executed, so that the caller may try again. */
  readonly retryable: boolean;
  readonly hint: string;
}

const row = (
  id: ErrorRow["id"],
  rpc: number,
  http: number,
  exit: number,
  retryable: boolean,
  hint: string,
): ErrorRow => ({
  id,
  rpc,
  http,
  exit,
  retryable,
  hint,
});

export type ErrorCode =
  | "usage"
  | "unknownTarget"
  | "unknownItem"
  | "badArguments"
  | "writesRefused"
  | "loadRefused"
  | "interrupted"
  | "untrusted"
  | "configNotFound"
  | "configInvalid"
  | "insecureBind"
  | "portInUse"
  | "unreachable"
  | "spawnFailed"
  | "exited"
  | "connectTimeout"
  | "lost"
  | "callTimeout"
  | "sessionLost"
  | "unavailable"
  | "draining"
  | "replyTooLarge"
  | "overloaded"
  | "unauthorized"
  | "loginRequired"
  | "urlRequired"
  | "loginFailed"
  | "vaultUnusable"
  | "unauthenticated"
  | "badCredentials"
  | "insufficientScope"
  | "denied"
  | "notOperator"
  | "rateLimited"
  | "tooManyCalls"
  | "quotaSpent"
  | "tooManyStreams"
  | "sandboxFailed"
  | "resultRefused"
  | "authUnavailable"
  | "badProtocol"
  | "refused"
  | "foreignOutput"
  | "unsupportedVersion"
  | "parse"
  | "invalidRequest"
  | "unknownMethod"
  | "invalidParams"
  | "resourceNotFound"
  | "tooLarge"
  | "sessionMissing"
  | "sessionUnknown"
  | "notAcceptable"
  | "mediaType"
  | "methodNotAllowed"
  | "forbiddenOrigin"
  | "clientUnable"
  | "samplingRejected"
  | "ambiguousClient"
  | "streamGone"
  | "tooManySessions"
  | "notFound"
  | "headerMismatch"
  | "missingCapability"
  | "versionNotOffered"
  | "metaInvalid"
  | "methodNotOffered"
  | "stateRefused"
  | "cursorRefused"
  | "quarantined"
  | "badListing"
  | "listingLate"
  | "ownerUnknown"
  | "tooManyParked"
  | "badHttp"
  | "headTooLarge"
  | "expectation"
  | "timeout"
  | "output"
  | "internal";

export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = {
  usage: row("E2001", -32600, 400, 2, false, "see mcpctl --help"),
  unknownTarget: row("E2002", -32600, 400, 2, false, "see mcpctl list servers for what there is"),
  unknownItem: row("E2004", -32602, 404, 2, false, "see mcpctl list all NAME for what it has"),
  badArguments: row("E2003", -32602, 400, 2, false, "see mcpctl list -o wide for its arguments, or add --no-validate"),
  writesRefused: row("E2006", -32600, 400, 2, false, "add --allow-writes if these calls may change something"),
  loadRefused: row("E2007", -32600, 400, 2, false, "add --yes if the server is yours to load"),
  interrupted: row("E2130", -32603, 500, 130, true, "run it again, with more time if it had too little"),
  untrusted: row("E3005", -32603, 500, 3, false, "read the file; if you trust it, add the --trust that is named above"),
  configNotFound: row("E3001", -32603, 500, 3, false, "name a file with -c, or start with --demo"),
  configInvalid: row("E3002", -32603, 500, 3, false, "mend the places named above"),
  insecureBind: row("E3003", -32603, 500, 3, false, "bind to 127.0.0.1, configure auth, or say --insecure"),
  vaultUnusable: row("E3007", -32603, 500, 3, false, "name a folder that can be written in XDG_STATE_HOME"),
  portInUse: row("E3004", -32603, 500, 3, false, "choose another port with --port"),
  unreachable: row("E4101", -32000, 502, 4, true, "is the server running, and is the address right?"),
  spawnFailed: row("E4102", -32000, 502, 4, true, "check the command, its path and its permissions"),
  exited: row("E4103", -32000, 502, 4, true, "run the command by hand and read what it prints"),
  connectTimeout: row("E4104", -32000, 504, 4, true, "the server did not answer the handshake in time"),
  lost: row("E4105", -32000, 502, 4, false, "the call may have run; check before you repeat it"),
  callTimeout: row("E4106", -32001, 504, 4, false, "the call may still be running; raise timeouts.call"),
  sessionLost: row("E4109", -32000, 502, 4, true, "the backend forgot the session; a new one is opened"),
  unavailable: row(
    "E4107",
    -32000,
    503,
    4,
    true,
    "the backend is down, or left alone after failures; it is tried again by itself",
  ),
  draining: row("E4108", -32000, 503, 4, true, "the gateway is shutting down"),
  replyTooLarge: row("E4110", -32000, 502, 4, false, "the call has run; ask the server for a smaller answer"),
  overloaded: row("E4111", -32000, 503, 4, true, "wait retryAfterMs, or raise concurrency of the backend"),
  unauthorized: row("E5001", -32000, 401, 5, false, "check the backend's headers or token"),
  loginRequired: row("E5109", -32000, 502, 5, true, "sign in to the backend, and call again"),
  urlRequired: row("E5107", -32042, 502, 5, true, "open the address, sign in, and call again"),
  loginFailed: row("E5108", -32000, 502, 5, false, "read what the authorization server says, and sign in again"),
  unauthenticated: row("E5101", -32600, 401, 5, false, "sign in, and send Authorization: Bearer with each request"),
  badCredentials: row(
    "E5102",
    -32600,
    400,
    5,
    false,
    "send one Authorization: Bearer header, and no token in the address",
  ),
  insufficientScope: row("E5103", -32600, 403, 5, false, "ask for a token with the scopes that are named"),
  rateLimited: row("E4112", -32000, 429, 4, true, "wait retryAfterMs, or raise limits.rate"),
  tooManyCalls: row("E4113", -32000, 429, 4, true, "wait for answers, or raise the concurrency of the limits"),
  quotaSpent: row("E4114", -32000, 429, 4, true, "wait for the next day (UTC), or raise the quota of the limits"),
  tooManyStreams: row("E4115", -32000, 429, 4, true, "end streams that are not needed, or raise limits.streams"),
  sandboxFailed: row("E3006", -32000, 502, 3, false, "install bubblewrap and allow user namespaces, or remove sandbox"),
  resultRefused: row("E4116", -32000, 502, 4, false, "the call has run; widen the guard if this may pass"),
  denied: row("E5105", -32602, 200, 5, false, "ask the operator, or call it in another way"),
  notOperator: row(
    "E5106",
    -32600,
    403,
    5,
    false,
    "ask from the gateway's machine, or let a rule of its policy allow the method: mcpctl/tail, mcpctl/drain or mcpctl/upgrade",
  ),
  authUnavailable: row("E5104", -32000, 503, 5, true, "the authorization server cannot be asked; try again"),
  listingLate: row("E4120", -32000, 504, 4, true, "it is read on; raise timeouts.list to wait for it longer"),
  ownerUnknown: row("E4121", -32000, 503, 4, true, "try again when the processes of the gateway reach each other"),
  badListing: row("E6020", -32000, 502, 6, false, "the server must end its listing and give each cursor once"),
  badProtocol: row("E6001", -32000, 502, 6, false, "the server does not speak MCP at this address"),
  refused: row("E6005", -32603, 502, 6, false, "the words are the server's own; change what was asked for"),
  foreignOutput: row(
    "E6004",
    -32000,
    502,
    6,
    false,
    "let the server write its messages to stderr: stdout is for MCP alone",
  ),
  unsupportedVersion: row("E6002", -32602, 400, 6, false, "use one of the supported protocol versions"),
  parse: row("E6101", -32700, 400, 6, false, "send valid JSON in UTF-8"),
  invalidRequest: row("E6102", -32600, 400, 6, false, "send one JSON-RPC 2.0 message"),
  unknownMethod: row("E6103", -32601, 200, 6, false, "the method is not part of this revision"),
  invalidParams: row("E6104", -32602, 200, 6, false, "check the parameters"),
  resourceNotFound: row("E6105", -32002, 200, 6, false, "list the resources to see what is there"),
  tooLarge: row("E6106", -32600, 413, 6, false, "raise limits.body"),
  sessionMissing: row("E6107", -32600, 400, 6, false, "send initialize first, then its MCP-Session-Id"),
  sessionUnknown: row("E6108", -32001, 404, 6, true, "send initialize again"),
  notAcceptable: row("E6109", -32600, 406, 6, false, "accept application/json and text/event-stream"),
  mediaType: row("E6110", -32600, 415, 6, false, "send content-type: application/json"),
  methodNotAllowed: row("E6111", -32600, 405, 6, false, "use POST, GET or DELETE"),
  forbiddenOrigin: row("E6112", -32600, 403, 6, false, "add the host or origin to the config if you trust it"),
  clientUnable: row("E6113", -32601, 200, 6, false, "the client did not declare this capability"),
  samplingRejected: row("E6125", -1, 200, 6, false, "call it again, and answer when the server asks"),
  ambiguousClient: row("E6114", -32603, 200, 6, false, "set isolation: session for this backend"),
  notFound: row("E6115", -32600, 404, 6, false, "the endpoint is /mcp or /mcp/<backend>"),
  badHttp: row("E6130", -32600, 400, 6, false, "send one valid HTTP/1.1 request"),
  timeout: row("E6131", -32600, 408, 6, true, "send the whole request at once"),
  headTooLarge: row("E6132", -32600, 431, 6, false, "send fewer or shorter headers"),
  expectation: row("E6133", -32600, 417, 6, false, "send no Expect header, or 100-continue"),
  output: row("E7002", -32603, 500, 70, false, "is there room where the output goes?"),
  streamGone: row("E6116", -32600, 400, 6, false, "open a new stream without Last-Event-ID"),
  tooManySessions: row("E6117", -32000, 503, 6, true, "end sessions with DELETE, or raise limits.sessions"),
  headerMismatch: row("E6118", -32020, 400, 6, false, "send headers that repeat what the body says"),
  missingCapability: row("E6119", -32021, 400, 6, false, "declare the capability, if the client has it"),
  versionNotOffered: row("E6120", -32022, 400, 6, false, "use one of the supported protocol versions"),
  metaInvalid: row("E6121", -32602, 400, 6, false, "say version and capabilities in params._meta"),
  methodNotOffered: row("E6122", -32601, 404, 6, false, "the method is not part of this revision"),
  stateRefused: row("E6123", -32602, 200, 6, false, "send the request again without requestState"),
  quarantined: row("E6141", -32602, 200, 6, false, "see mcpctl lock --diff, and accept it with mcpctl lock --accept"),
  cursorRefused: row("E6140", -32602, 200, 6, false, "list again from the first page, without a cursor"),
  tooManyParked: row("E6124", -32000, 503, 6, true, "answer the calls that wait for input, or raise limits.parked"),
  internal: row("E7001", -32603, 500, 70, false, "this is a bug in mcpctl; please report it"),
};

export interface ErrorContext {
  /** Name of the backend that failed. */
  readonly backend?: string;
  readonly cause?: unknown;
  /** More for JSON-RPC `data`. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A failure with a code from {@link errorTable}; its message says what failed, where, and what to do. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly backend: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.backend = context.backend;
    this.data = context.data ?? {};
  }

  get row(): ErrorRow {
    return errorTable[this.code];
  }

  /** The `error` member of a JSON-RPC reply. */
  toRpc(): { code: number; message: string; data: Record<string, unknown> } {
    const { id, rpc, hint } = this.row;
    const data: Record<string, unknown> = {
      code: id,
      ...(this.backend ? { backend: this.backend } : {}),
      ...this.data,
      hint,
    };
    return { code: rpc, message: this.message, data };
  }
}

/** The word for an id like `E4101`; `internal` for one that there is not. */
export function errorCodeOf(id: string): ErrorCode {
  const known = Object.keys(errorTable).find((code) => isErrorCode(code) && errorTable[code].id === id);
  return known !== undefined && isErrorCode(known) ? known : "internal";
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/** Failures of calls for which HTTP has a status that clients, and what is between, understand. */
const withStatus: ReadonlySet<ErrorCode> = new Set([
  "insufficientScope",
  "rateLimited",
  "tooManyCalls",
  "quotaSpent",
  "tooManyStreams",
  "overloaded",
]);

export function hasStatus({ code }: GatewayError): boolean {
  return withStatus.has(code);
}

/** The error itself where it is ours, else our bug with the error as its cause. */
export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return new GatewayError("internal", error instanceof Error ? error.message : String(error), { cause: error });
}
