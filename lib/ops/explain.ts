// Why errors happen, by code, in more words than a message has: for `mcpctl explain` and the cause of a failure.

import { type ProblemKind, problemTable } from "../config/problems.ts";
import { type ErrorCode, errorTable } from "../core/errors.ts";

export interface Explanation {
  readonly code: string;
  /** Its word in the program. */
  readonly name: string;
  readonly cause: string;
  readonly fix: string;
  /** The exit code of a command that ends with it; undefined for mistakes of a config, which add up to 1 or 3. */
  readonly exit: number | undefined;
}

const causes: Readonly<Record<ErrorCode, string>> = {
  usage: "the command line has a word that this command does not know, or misses one that it needs",
  unknownTarget: "the config has no server of that name",
  unknownItem: "the server lists nothing of that name",
  badArguments: "what was typed does not fit the schema that the tool declares, so nothing was sent",
  refused: "the server understood the request and answered with an error of the protocol",
  interrupted: "somebody pressed Ctrl-C, or the process was told to stop",
  untrusted: "a config that merely lies in the working directory can start programs, so its first use needs your word",
  configNotFound: "no file was named, and the working directory has none of the known names",
  configInvalid: "the config has mistakes, so nothing of it is used",
  insecureBind: "an address that other machines reach would let everybody in: the config has no auth",
  loginRequired: "the server wants somebody to sign in, and nobody has, or the login has ended or has too few rights",
  urlRequired: "the server wants somebody to sign in; the client opens the address that is named",
  loginFailed: "the authorization server of a backend refused, cannot be reached, or is not one that can be trusted",
  vaultUnusable: "the folder for logins cannot be written, and without it every restart would ask for a new login",
  unauthenticated:
    "the gateway lets in who shows a key, a token or a certificate that it knows; this request showed none",
  badCredentials: "a token is sent in one way alone, so that it is in no log and in no history of a browser",
  insufficientScope: "the token is good, but it does not allow this",
  rateLimited: "somebody calls more often than the config allows, for themselves or for this tool",
  tooManyCalls: "more requests are in flight than the config allows at the same time",
  quotaSpent: "what the config allows in one day has been used",
  tooManyStreams: "more event streams are open than the config allows",
  sandboxFailed: "the sandbox that the config wants cannot be had here, and nothing is started without it",
  resultRefused: "the server's result is not one that the guard of the config lets through",
  denied: "the policy of the gateway forbids this call, or the user who was asked did not agree",
  notOperator: "not everybody may watch what others send, or stop the gateway",
  authUnavailable: "whether the token is good could not be found out",
  portInUse: "another program listens on that address already, often an older mcpctl",
  unreachable: "no connection to the server's address could be made",
  spawnFailed: "the operating system could not start the command",
  exited: "the process ended, or closed its stdout, while an answer was awaited",
  connectTimeout: "the process runs or the port is open, but nothing answers as an MCP server would",
  lost: "the connection broke after the request had left, so whether it was executed is not known",
  callTimeout: "the server accepted the request and did not answer in the time that it was given",
  sessionLost: "the server was restarted, or ends idle sessions",
  unavailable: "the server refuses work for now: it is overloaded, starting, or switched off",
  draining: "the gateway was told to stop and takes no new calls",
  replyTooLarge: "the answer is larger than limits.message allows",
  unauthorized: "the server wants credentials, or does not accept those that were sent",
  badProtocol: "what answers is no MCP server, or one with a fault: a web page, a proxy, or another path of the host",
  badListing: "the server's pages do not end: a cursor comes again, or there are more pages than any listing has",
  foreignOutput: "the server, or a wrapper around it, prints to stdout, which is the channel of the protocol",
  unsupportedVersion: "client and server have no revision of the protocol in common",
  invalidParams: "the server does not accept the arguments",
  unknownMethod: "the server does not have this feature",
  resourceNotFound: "the server has no resource of that URI",
  clientUnable: "the server asked something that this client did not offer to answer",
  samplingRejected: "the server wanted a model's answer, and the user, or --no-input, gave none",
  quarantined: "the tool is not what it was when somebody accepted it, so that nobody uses it unseen",
  output: "stdout could not be written: the disk is full, or the device is gone",
  writesRefused: "the tool may change something, and a benchmark calls it thousands of times",
  loadRefused: "the server is not on this machine, and a benchmark may be more than it can bear",
  overloaded: "as many calls are in flight, and waiting, as the config allows",
  listingLate: "the backend has not listed everything in the time that listings wait for it",
  ownerUnknown: "whose a task is only other processes of the gateway know, and what is between them does not answer",
  parse: "what came is no JSON, no UTF-8, or nests too deeply",
  invalidRequest: "the message is JSON, but none of JSON-RPC, or not at this point of the conversation",
  tooLarge: "the body is larger than limits.body allows",
  sessionMissing: "every request of an older revision but the first one names its session",
  sessionUnknown: "the session has ended, was never there, or belongs to somebody else",
  notAcceptable: "an answer may be JSON or an event stream, and the client does not take both",
  mediaType: "the body is said to be something else than JSON",
  methodNotAllowed: "the endpoint exists, and is not used with this HTTP method",
  forbiddenOrigin:
    "a page, or a name, that is not one of this gateway's sent the request; that is how pages attack local servers",
  ambiguousClient: "several clients share the server's process, and nobody can say which of them it asks",
  notFound: "the gateway has nothing at that path, or nothing that this principal may see",
  streamGone: "what was sent on the stream is not kept any more",
  tooManySessions: "as many sessions are open as limits.sessions allows",
  headerMismatch: "the headers of a modern request must say the same as its body, and do not",
  missingCapability: "the call needs something of the client that it did not declare",
  versionNotOffered: "the gateway does not speak the revision that the request names",
  metaInvalid: "a modern request says its version and capabilities in params._meta, and this one does not",
  methodNotOffered: "the revision, or the gateway, has no such method",
  stateRefused: "the state has expired, was changed, or belongs to another call or principal",
  tooManyParked: "as many calls wait for input as limits.parked allows",
  cursorRefused: "the cursor was changed, or belongs to another listing or principal",
  badHttp: "what came is no valid HTTP/1.1",
  timeout: "the client took too long to send its request",
  headTooLarge: "the request line and headers are larger than the gateway reads",
  expectation: "the request asks for something before its body that the gateway does not do",
  internal: "mcpctl has a fault",
};

const problemCauses: Readonly<Record<ProblemKind, readonly [cause: string, fix: string]>> = {
  unknownKey: ["the key is not one that a config has here, often a slip of the pen", "write the key that is proposed"],
  wrongType: ["the value is of another kind than the key wants", "write it as the message says"],
  badValue: ["the value is not one that the key accepts", "write it as the message says"],
  missing: ["something that is needed is not there", "add it"],
  conflict: ["two settings exclude each other", "keep one of them"],
  duplicateKey: ["the same name stands twice, and one of them would be lost", "rename or remove one of them"],
  syntax: ["the text is not valid in the format that the file's name says", "mend it at the place named"],
  unreadable: ["the file cannot be opened, or is no text", "check path and permissions"],
  tooMuch: ["the file is larger, or nests deeper, than any config needs to", "remove what does not belong there"],
  missingVariable: ["a variable of the environment is used that is not set", "set it, or write ${NAME:-default}"],
  badReference: ["what stands in ${…} is no name of a variable", "write ${NAME}, or $${ for a plain ${"],
  badName: ["names of backends become part of tool names, so that they are short and plain", "rename the backend"],
  badUrl: ["the address cannot be used", "write it like https://example.com/mcp"],
  configNotFound: ["no file was named, and the working directory has none of the known names", "name one with -c"],
  ambiguous: ["two configs in one folder would be a riddle", "keep one, or name files with -c"],
  unknownBackend: ["a list names a backend that the config does not have", "write the name that is proposed"],
  empty: ["the file says nothing", "add at least one backend"],
  forbiddenKey: ["the key would change the program instead of the config", "remove it"],
  badModule: ["the config is a script, and it failed", "run it by hand"],
  ignoredKey: ["another client's file has a key that means nothing here", "nothing, or remove it"],
  renamed: ["the name that another client uses is none that a backend may have", "nothing, or rename it"],
  shellLine: ["a command is one program: no shell splits it", "put what follows the program into args"],
  ownEndpoint: ["the gateway would call itself without end", "remove that backend, or change listen"],
  notOnPath: [
    "the program cannot be found from here, so that the backend will not start",
    "install it, or mend the path",
  ],
  literalSecret: ["a secret in a file is read by whoever reads the file", "write ${NAME} and set that variable"],
  plainHttp: ["what is sent can be read and changed on the way", "use https"],
  unpinned: ["another version, by another author perhaps, runs with every start", "write the version behind the name"],
  shellSyntax: [
    "no shell reads the arguments, so that this is passed on as it is",
    "run a shell with -c, or write it out",
  ],
  absolutePath: ["the path is one of this machine", "write it relative to the file, or with ${HOME}"],
  portClash: ["two programs cannot listen on one port", "give one of them another"],
  similarNames: ["people and models mix the names up", "rename one of them"],
  notPortable: ["another client does not know this", "keep it in a file for mcpctl alone"],
  replicasDiffer: ["a call may go to a replica that does not have the tool", "bring all of them to one version"],
  unreachableView: ["the endpoint would be there, and empty for everybody", "mend its lists, or remove the view"],
  hidesAll: ["nobody could see or call anything", "add a rule that allows something, or default: allow"],
  unknownType: ["the type of the server is none that is known", "nothing, or write stdio, http or sse"],
};

/** One sentence; empty for codes that say all there is in their message. */
export function causeOf(code: string): string {
  return explain(code)?.cause ?? "";
}

/** What is known of a code, written in any case; undefined where it is no code. */
export function explain(written: string): Explanation | undefined {
  const code = written.toUpperCase();
  for (const [name, row] of Object.entries(errorTable)) {
    if (row.id === code || name.toUpperCase() === code) {
      const cause = Object.entries(causes).find(([each]) => each === name)?.[1] ?? "";
      return { code: row.id, name, cause, fix: row.hint, exit: row.exit };
    }
  }
  for (const [name, id] of Object.entries(problemTable)) {
    if (id !== code && name.toUpperCase() !== code) continue;
    const [cause = "", fix = ""] = Object.entries(problemCauses).find(([each]) => each === name)?.[1] ?? [];
    return { code: id, name, cause, fix, exit: undefined };
  }
  return undefined;
}

/** Every code that there is. */
export function explainedCodes(): readonly string[] {
  return [...Object.values(problemTable), ...Object.values(errorTable).map(({ id }) => id)].toSorted();
}
