// A child process locked up by bubblewrap: a read-only root, no network, no other processes, and only the paths that are listed.

import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import process from "node:process";
import type { SandboxPlan } from "../config/guard.ts";
import type { StdioReplicaPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";

/** The line to start, in the place of the child's own. */
export interface Boxed {
  readonly command: string;
  readonly args: readonly string[];
}

const program = "bwrap";
/** What it says before its own complaints. */
const complaint = "bwrap: ";
/** Sockets of other programs (containers, desktops, agents) lie here, and one may be spoken to on a read-only root too. */
const emptied = ["/tmp", "/var/tmp", "/run"];
/** Of networks: names are looked up with these. */
const resolvers = ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf"];
/** Where keys and tokens usually are, from the home folder on. */
const secretPlaces = [
  ".ssh",
  ".gnupg",
  ".aws",
  ".azure",
  ".kube",
  ".docker",
  ".config/gcloud",
  ".config/gh",
  ".config/mcpctl",
  ".local/share/keyrings",
  ".password-store",
  ".mozilla",
  ".netrc",
  ".npmrc",
  ".pypirc",
  ".git-credentials",
  ".pgpass",
  ".bash_history",
  ".zsh_history",
];

/** Throws `sandboxFailed` where there is no sandbox: the child is not started without it. */
export function boxed(backend: string, replica: StdioReplicaPlan, sandbox: SandboxPlan): Boxed {
  if (process.platform !== "linux")
    throw failed(backend, `bubblewrap runs on Linux alone, and this is ${process.platform}`);
  const command = findProgram();
  if (command === undefined) throw failed(backend, `bubblewrap (${program}) is not on the PATH`);
  return { command, args: [...optionsOf(sandbox, replica), "--", replica.command, ...replica.args] };
}

/** Why a child ended whose sandbox could not be made; undefined where it ended for another reason. */
export function boxFailure(backend: string, said: string): GatewayError | undefined {
  return said.startsWith(complaint) ? failed(backend, said) : undefined;
}

function failed(backend: string, why: string): GatewayError {
  const text = `backend "${backend}" is not started without its sandbox: ${why}`;
  return new GatewayError("sandboxFailed", text, { backend, data: { sent: false } });
}

/** On the PATH of the gateway, whatever that of the child says. */
function findProgram(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, program)).find(canRun);
}

function optionsOf({ read, write, hide, network }: SandboxPlan, { command, cwd }: StdioReplicaPlan): readonly string[] {
  const own = [command, cwd ?? ""].filter(isAbsolute);
  const shown = network ? [...resolvers, ...own] : own;
  const binds = [
    ...shown.map((path) => ["--ro-bind-try", path] as const),
    ...read.map((path) => ["--ro-bind", path] as const),
    ...write.map((path) => ["--bind", path] as const),
    // What lies in another one is mounted on it.
  ].toSorted(([, one], [, other]) => one.length - other.length);
  // That of the child: what it sees of the environment names no other.
  const home = process.env["HOME"] ?? homedir();
  const hides = [...secretPlaces.map((place) => join(home, place)), ...hide];
  const again = binds.filter(([, path]) => !hide.includes(path) && hides.some((place) => isWithin(path, place)));
  return [
    "--unshare-all",
    ...(network ? ["--share-net"] : []),
    "--die-with-parent",
    "--new-session",
    ...["--cap-drop", "ALL"],
    ...["--ro-bind", "/", "/"],
    ...["--dev", "/dev"],
    ...["--proc", "/proc"],
    ...emptied.filter(isFolder).flatMap((path) => ["--tmpfs", path]),
    ...binds.flatMap(([option, path]) => [option, path, path]),
    // A folder that is listed may hold one that is secret.
    ...hides.flatMap(hidden),
    ...again.flatMap(([option, path]) => [option, path, path]),
    ...(cwd === undefined ? [] : ["--chdir", cwd]),
  ];
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** An empty folder, or file, in the place of one; nothing for what is not there. */
function hidden(path: string): readonly string[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [];
  const place = realpathSync(path);
  return stats.isDirectory() ? ["--tmpfs", place] : ["--ro-bind", "/dev/null", place];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
