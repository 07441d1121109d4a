// A failure as people and scripts are told of it: what, where, what the server said, why, and what to do.

import type { FilePlace } from "../config/problems.ts";
import { asGatewayError, type ErrorCode, type GatewayError } from "../core/errors.ts";
import type { Evidence } from "./evidence.ts";
import { causeOf } from "./explain.ts";
import { maskArgs } from "./mask.ts";
import type { FoundProblem } from "./problem-forms.ts";
import type { Target } from "./target.ts";

export interface Failure {
  /** `E4103`; see `mcpctl explain`. */
  readonly code: string;
  readonly name: ErrorCode;
  /** The server that it is about. */
  readonly target: string | undefined;
  readonly message: string;
  readonly place: FilePlace | undefined;
  /** All that is wrong with a config. */
  readonly problems: readonly FoundProblem[];
  /** The last lines that the server printed. */
  readonly stderr: readonly string[];
  /** The first lines of its stdout that are no messages. */
  readonly stdout: readonly string[];
  readonly cause: string;
  readonly fix: string;
  /** The exit code of a command that is about this server alone. */
  readonly exit: number;
}

/** `target` and `evidence` where a server is concerned. */
export function describeFailure(thrown: unknown, target?: Target, evidence?: Evidence): Failure {
  const error = asGatewayError(thrown);
  const { id, exit, hint } = error.row;
  const stderr = evidence?.stderr ?? [];
  const stdout = evidence?.stdout ?? [];
  const seen = [...stderr, ...stdout, error.message].join("\n");
  const known = clues.find(({ about, pattern }) => (about === undefined || about === error.code) && pattern.test(seen));
  return {
    code: id,
    name: error.code,
    target: target?.name ?? error.backend,
    message: plainMessage(error),
    place: target?.place,
    problems: isList(error.data["problems"]) ? error.data["problems"] : [],
    stderr,
    stdout,
    cause: known?.cause ?? causeOf(id),
    fix: known?.fix ?? fixFor(error.code, target) ?? hint,
    exit,
  };
}

/** Nobody else puts anything there. */
function isList(value: unknown): value is readonly FoundProblem[] {
  return Array.isArray(value);
}

/** The message without the name of its backend, which stands before it, and without what is shown beside it. */
function plainMessage({ message, backend }: GatewayError): string {
  const named = `backend "${backend}"`;
  const plain = message
    .replace(` of ${named}`, "")
    .replace(named, "")
    .replace(/^:?\s+/, "");
  const short = plain.replace(/ after (\d+) ms(?:; it said: .*)?$/s, " after $1 ms");
  return short.replace(
    /^exited with code (\d+) after (\d+ ms)$/,
    "server exited before it answered (exit code $1 after $2)",
  );
}

function fixFor(code: ErrorCode, target: Target | undefined): string | undefined {
  const replica = target?.plan.replicas[0];
  if (!replica) return undefined;
  if (replica.kind === "stdio" && (code === "exited" || code === "connectTimeout")) {
    const line = [replica.command, ...maskArgs(replica.args)].map(quote).join(" ");
    return `run it by hand and read what it prints: ${line.length > 200 ? `${line.slice(0, 200)}…` : line}`;
  }
  if (replica.kind === "http" && code === "badProtocol") return `check the path of ${withoutQuery(replica.url)}`;
  return undefined;
}

/** A query may hold a token. */
function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, "?…");
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

interface Clue {
  readonly about?: ErrorCode;
  readonly pattern: RegExp;
  readonly cause: string;
  readonly fix: string;
}

/** What common failures look like from outside, most telling first. */
const clues: readonly Clue[] = [
  {
    about: "spawnFailed",
    pattern: /ENOENT|not found|No such file/i,
    cause: "there is no program of that name on the PATH, or the folder of cwd does not exist",
    fix: "install it, or write its whole path as the command",
  },
  {
    about: "spawnFailed",
    pattern: /EACCES|permission/i,
    cause: "the file may not be run",
    fix: "chmod +x it, or name the interpreter as the command and the file in args",
  },
  {
    about: "exited",
    pattern: /Cannot find (?:module|package)|ModuleNotFoundError|ERR_MODULE_NOT_FOUND/,
    cause: "the server misses one of its own files or packages",
    fix: "install its dependencies (npm install, pip install) and check the path in args",
  },
  {
    about: "exited",
    pattern: /npm (?:error|ERR!) (?:code )?E?404|404 Not Found/,
    cause: "the package registry has no package of that name",
    fix: "check the spelling of the package in args",
  },
  {
    about: "exited",
    pattern: /EADDRINUSE|address already in use/i,
    cause: "the server wants a port that another program has",
    fix: "stop the other program, or give the server another port",
  },
  {
    about: "exited",
    pattern: /(?:environment variable|env var|API[_ ]?KEY|TOKEN).{0,60}(?:required|missing|not set|must be)/is,
    cause: "the server misses a setting of its environment",
    fix: "add the variable to env of this backend",
  },
  {
    about: "badProtocol",
    pattern: /with protocol version ".*", which mcpctl does not speak/,
    cause: "the server offers a revision of the protocol that is not published, or older than any that is spoken here",
    fix: "update the server, or mcpctl",
  },
  {
    pattern: /ECONNREFUSED/,
    cause: "nothing listens at that address",
    fix: "start the server, and check host and port",
  },
  {
    pattern: /ENOTFOUND|EAI_AGAIN|getaddrinfo/,
    cause: "the host name has no address",
    fix: "check the spelling of the host, and the DNS of this machine",
  },
  {
    pattern: /CERT_HAS_EXPIRED|certificate has expired/i,
    cause: "the certificate of the server has expired",
    fix: "renew the certificate",
  },
  {
    pattern: /SELF_SIGNED|self.signed|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|unknown ca|CERT_/i,
    cause: "the certificate of the server is not signed by an authority that this machine trusts",
    fix: "name the authority's file as tls.ca of this backend",
  },
  {
    pattern: /WRONG_VERSION_NUMBER|EPROTO|packet length|wrong version number|ERR_SSL/i,
    cause: "the server does not speak TLS on this port",
    fix: "write http:// instead of https://, or another port",
  },
];
