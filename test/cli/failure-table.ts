// What each command makes of each way in which a server fails, as data: codes, exit codes, and the forms that are asked for.
import type { Urls } from "./failing.ts";

/** `warns`: no more than a warning. `fine`: the command does not meet the failure. */
export type Outcome = `E${number}` | "warns" | "fine";

export interface Failure {
  readonly name: string;
  /** A server of a config; `mark` is a word in the command line of all its processes. */
  readonly server: (mark: string, urls: Urls) => object;
  readonly where: "program" | "address";
  /** Of every command that says nothing else below. */
  readonly code: `E${number}`;
  readonly except?: Readonly<Record<string, Outcome>>;
  /** Nothing but the end of the time that a command has ends it. */
  readonly isSilent?: boolean;
  /** Another face of a failure that is there already: one form of each command is enough. */
  readonly isVariant?: boolean;
}

const sh = (script: string, mark: string): object => ({ command: "bash", args: ["-c", script, mark] });

/** A server with one tool, as a shell is one. */
export const shellServer = (mark: string, version: string, more = ""): object =>
  sh(
    `while read -r line; do
      [[ $line =~ \\"id\\":(\\"[^\\"]*\\"|[0-9]+) ]] || continue
      id=$\${BASH_REMATCH[1]}
      case $line in
      *'"initialize"'*) body='"result":{"protocolVersion":"${version}","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
      *'"tools/list"'*) body='"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]${more}}' ;;
      *'"tools/call"'*) body='"result":{"content":[{"type":"text","text":"hi"}]}' ;;
      *'"ping"'*) body='"result":{}' ;;
      *) body='"error":{"code":-32601,"message":"no such method"}' ;;
      esac
      echo "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":$id,$body}"
    done # $0`,
    mark,
  );

/** Nobody signs in to a program. */
const program = { login: "E2001" } as const;
/** What answers, and is no server to sign in to. */
const page = { login: "E5108" } as const;

export const failures: readonly Failure[] = [
  {
    name: "command not found",
    where: "program",
    server: () => ({ command: "no-such-program" }),
    code: "E4102",
    except: program,
  },
  {
    name: "exits at once",
    where: "program",
    server: (mark) => sh("echo oops >&2; exit 3", mark),
    code: "E4103",
    except: program,
  },
  {
    name: "hangs",
    where: "program",
    server: (mark) => sh("exec -a $0 sleep 600", mark),
    code: "E4104",
    except: program,
    isSilent: true,
  },
  {
    name: "garbage on stdout",
    where: "program",
    server: (mark) => sh('echo "Starting server"; exec -a $0 sleep 600', mark),
    code: "E6004",
    except: program,
    isSilent: true,
  },
  {
    name: "a grandchild keeps the pipe",
    where: "program",
    server: (mark) => sh("(exec -a $0 sleep 600) & exit 1", mark),
    code: "E4103",
    except: program,
  },
  { name: "wrong port", where: "address", server: (_, { closed }) => ({ url: closed }), code: "E4101" },
  {
    name: "connection reset",
    where: "address",
    server: (_, { reset }) => ({ url: reset }),
    code: "E4105",
    // Nothing was called that could have been executed.
    except: { login: "E4101" },
  },
  { name: "401", where: "address", server: (_, { status401 }) => ({ url: status401 }), code: "E5001", except: page },
  { name: "404", where: "address", server: (_, { status404 }) => ({ url: status404 }), code: "E6001", except: page },
  {
    name: "500 with HTML",
    where: "address",
    server: (_, { status500 }) => ({ url: status500 }),
    code: "E6001",
    except: page,
  },
  { name: "TLS error", where: "address", server: (_, { stranger }) => ({ url: stranger }), code: "E4101" },
  {
    name: "unsupported version",
    where: "program",
    server: (mark) => shellServer(mark, "1999-01-01"),
    code: "E6001",
    except: program,
  },
  {
    name: "malformed JSON-RPC",
    where: "program",
    server: (mark) => sh(`while read -r _; do echo '{"jsonrpc":"2.0","id":1,"neither":true}'; done # $0`, mark),
    code: "E6001",
    except: program,
  },
  {
    name: "pagination loop",
    where: "program",
    server: (mark) => shellServer(mark, "2025-11-25", ',"nextCursor":"again"'),
    code: "E6020",
    except: {
      ...program,
      // The tool is on the first page.
      call: "fine",
      bench: "fine",
      "bench compare": "fine",
      "bench failover": "fine",
      // It has neither prompts nor resources.
      get: "E2004",
      read: "E6005",
      probe: "warns",
      "probe --deep": "warns",
      "validate --online": "warns",
    },
  },
  {
    name: "hangs, at an address",
    where: "address",
    server: (_, { silent }) => ({ url: silent }),
    code: "E4104",
    // It gives up by itself, sooner than this test has time for.
    except: { login: "E4101" },
    isSilent: true,
    isVariant: true,
  },
  {
    name: "plain HTTP where TLS is wanted",
    where: "address",
    server: (_, { plain }) => ({ url: plain }),
    code: "E4101",
    isVariant: true,
  },
  {
    name: "a page",
    where: "address",
    server: (_, urls) => ({ url: urls.page }),
    code: "E6001",
    except: page,
    isVariant: true,
  },
  {
    name: "malformed JSON-RPC, at an address",
    where: "address",
    server: (_, { malformed }) => ({ url: malformed }),
    code: "E6001",
    except: page,
    isVariant: true,
  },
];

export interface CommandRow {
  readonly name: string;
  /** The server is `it` of m.json; `PID` is a process that may be stopped. */
  readonly args: readonly string[];
  readonly forms: readonly string[];
  /** Where its answer is what is wrong. */
  readonly answers?: "probe" | "validation";
}

const all = ["table", "wide", "json", "ndjson", "yaml", "name"] as const;
/** Where another command of the table proves the same code in the others. */
const some = ["table", "json"] as const;
const results = ["table", "json", "ndjson", "yaml"] as const;
const brief = ["--allow-writes", "-r", "100/s"] as const;

export const commands: readonly CommandRow[] = [
  { name: "list", args: ["list", "tools", "m.json"], forms: all },
  { name: "call", args: ["call", "m.json:it/echo"], forms: results },
  { name: "get", args: ["get", "m.json:it/prompt"], forms: results },
  { name: "read", args: ["read", "m.json:it/file:///x"], forms: results },
  { name: "probe", args: ["probe", "m.json"], forms: [...all, "nagios", "prometheus"], answers: "probe" },
  { name: "probe --deep", args: ["probe", "m.json", "--deep"], forms: ["table", "json"], answers: "probe" },
  {
    name: "validate --online",
    args: ["validate", "--online", "m.json"],
    forms: [...all, "sarif", "github", "junit"],
    answers: "validation",
  },
  {
    name: "validate --lock",
    args: ["validate", "--lock", "m.json"],
    forms: ["table", "json"],
    answers: "validation",
  },
  { name: "lock", args: ["lock", "-c", "m.json"], forms: ["table", "json"] },
  { name: "lock --diff", args: ["lock", "--diff", "-c", "m.json"], forms: all },
  {
    name: "bench",
    args: ["bench", "m.json:it/echo", "-n", "3", ...brief],
    forms: ["table", "json", "ndjson", "csv", "html", "junit"],
  },
  {
    name: "bench compare",
    args: ["bench", "compare", "m.json:it/echo", "m.json:it/echo", "-d", "1600ms", "--rounds", "4", ...brief],
    forms: ["table", "json"],
  },
  {
    name: "bench failover",
    args: "bench failover m.json:it/echo --part s=pid:PID --fault freeze:s@20ms..40ms -d 100ms".split(" "),
    forms: ["table", "json", "html"],
  },
  { name: "login", args: ["auth", "login", "it", "-c", "m.json"], forms: ["yaml", "json"] },
];

/** What a gateway is asked by, and what becomes of an address that is none: the code by command, or of all others. */
export const asking: readonly CommandRow[] = [
  { name: "status", args: ["status", "URL"], forms: all },
  { name: "health", args: ["health", "URL"], forms: some },
  { name: "why", args: ["why", "7", "URL"], forms: some },
  { name: "drain", args: ["drain", "URL"], forms: some },
  { name: "tail", args: ["tail", "URL"], forms: [...some, "ndjson"] },
  { name: "wait", args: ["wait", "URL"], forms: some },
];

export interface NoGateway {
  readonly name: string;
  readonly url: (urls: Urls) => string;
  readonly code: `E${number}`;
  readonly except?: Readonly<Record<string, `E${number}`>>;
}

/** Who waits hears that it was in vain; a refusal stays one. */
const inVain = { wait: "E4107" } as const;

export const noGateways: readonly NoGateway[] = [
  { name: "wrong port", url: ({ closed }) => closed, code: "E4101", except: inVain },
  { name: "connection reset", url: ({ reset }) => reset, code: "E4101", except: inVain },
  { name: "401", url: ({ status401 }) => status401, code: "E5001" },
  { name: "404", url: ({ status404 }) => status404, code: "E6001", except: inVain },
  { name: "500 with HTML", url: ({ status500 }) => status500, code: "E6001", except: inVain },
  { name: "a page", url: (urls) => urls.page, code: "E6001", except: inVain },
  { name: "malformed JSON-RPC", url: ({ malformed }) => malformed, code: "E6001", except: inVain },
  { name: "TLS error", url: ({ stranger }) => stranger, code: "E4101", except: inVain },
  { name: "plain HTTP where TLS is wanted", url: ({ plain }) => plain, code: "E4101", except: inVain },
  { name: "hangs", url: ({ silent }) => silent, code: "E4101", except: { ...inVain, tail: "E4104" } },
];
