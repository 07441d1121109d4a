// Secrets in what is shown: words of command lines, addresses, headers and messages that look like they hold one.

import type { ReplicaPlan } from "../config/plan.ts";
import { secretName, secretShape } from "../core/secrets.ts";

export const masked = "•••";

/** The arguments with the values of those that are named like secrets, or look like them, taken out. */
export function maskArgs(args: readonly string[]): readonly string[] {
  return args.map((arg, index) => {
    const before = args[index - 1] ?? "";
    if (/^--?[\w-]+$/.test(before) && secretName.test(before) && !arg.startsWith("-")) return masked;
    const [, name, mark] = /^(--?[\w-]+|[A-Za-z_]\w*)(=).+$/s.exec(arg) ?? [];
    if (name !== undefined && mark !== undefined && secretName.test(name)) return `${name}=${masked}`;
    return maskUrl(arg).replace(secretShape, masked);
  });
}

/** An address without user, password and the values of its query; other texts as they are. */
export function maskUrl(text: string): string {
  if (!/^(?:https?|wss?|rediss?|valkeys?):\/\//i.test(text)) return text;
  const url = URL.parse(text);
  if (!url) return text;
  const user = url.username !== "" || url.password !== "" ? `${masked}@` : "";
  const query = url.search === "" ? "" : `?${[...url.searchParams.keys()].map((key) => `${key}=${masked}`).join("&")}`;
  return `${url.protocol}//${user}${url.host}${url.pathname}${query}`;
}

const secretMember =
  /("(?!progressToken")(?:[^"\\]|\\.)*(?:key|token|secret|passw|auth|credential|cookie)(?:[^"\\]|\\.)*"\s*:\s*)"(?:[^"\\]|\\.)*"/gi;
/** The same in JSON that is the text of a message. */
const quotedSecretMember =
  /(\\"(?!progressToken\\")[\w .-]*(?:key|token|secret|passw|auth|credential|cookie)[\w .-]*\\"\s*:\s*)\\"[^"\\]*\\"/gi;

/** A message without the values of members that are named like secrets, or that look like them. */
export function maskMessage(text: string): string {
  return text
    .replace(secretMember, `$1"${masked}"`)
    .replace(quotedSecretMember, String.raw`$1\"${masked}\"`)
    .replace(secretShape, masked);
}

/** True where what has this name holds a secret. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** How a replica is reached, for people. */
export function whereabouts(replica: ReplicaPlan): string {
  return replica.kind === "stdio" ? [replica.command, ...maskArgs(replica.args)].join(" ") : maskUrl(replica.url);
}
