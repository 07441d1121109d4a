// `mcpctl auth`: keys for those who may come in, what they may do then, and logins at backends.

import { GatewayError, suggest } from "../lib/index.ts";
import { newApiKey } from "../lib/toolbox.ts";
import { document } from "./answer.ts";
import { type Command, type Flags, listFlag, textFlag, wordFlag } from "./command.ts";
import { configFlag, outputFlag, trustFlag } from "./common.ts";
import { answer, print, say } from "./output.ts";

const actions = ["key", "can-i", "login", "logout", "status"] as const;
const formats = ["yaml", "json"] as const;

const command: Command = {
  meta: { name: "auth", description: "Make keys, say who may use what, and sign in to backends" },
  args: {
    action: {
      type: "positional",
      description: "key create NAME, can-i PRINCIPAL BACKEND/TOOL, login NAME, logout NAME, or status",
    },
    words: { type: "positional", description: "what the action takes", required: false },
    group: { type: "string", description: "Group of the holder; may be repeated", valueHint: "name" },
    scope: { type: "string", description: "Scope of the holder; may be repeated", valueHint: "scope" },
    expires: { type: "string", description: "Day from which on the key is refused", valueHint: "date" },
    principal: { type: "string", description: "Whose login it is, where each has one", valueHint: "id" },
    port: {
      type: "string",
      description: "Where the browser comes back to; a free one if left out",
      valueHint: "number",
    },
    timeout: { type: "string", description: "How long to wait for a login; 10m if left out", valueHint: "duration" },
    config: configFlag,
    trust: trustFlag,
    kind: { type: "string", description: "tools, prompts, resources or methods", valueHint: "kind" },
    output: outputFlag(formats),
  },
  examples: [
    "mcpctl auth key create ci",
    "mcpctl auth key create ada --group ops --expires 2030-12-31",
    "mcpctl auth can-i key:ci fs/write_file",
    "mcpctl auth login linear",
    "mcpctl auth status",
    "mcpctl auth can-i token:https://id.example.com#ada fs/write_file --group ops",
  ],
  variadic: true,
  run: auth,
};

export default command;

async function auth(flags: Flags): Promise<number> {
  const [action = "", ...words] = flags.positionals;
  if (action === "key") return await key(words, flags);
  if (action === "can-i") return await (await import("./can-i.ts")).canI(words, flags);
  if (action === "login") return await (await import("./login.ts")).login(words, flags);
  if (action === "logout") return await (await import("./login.ts")).logout(words, flags);
  if (action === "status") return await (await import("./login.ts")).status(words, flags);
  const near = suggest(action, actions);
  throw new GatewayError("usage", `there is no auth ${action}${near ? `; did you mean ${near}?` : ""}`);
}

async function key([verb, name, ...more]: readonly string[], flags: Flags): Promise<number> {
  if (verb !== "create" || name === undefined || more.length > 0)
    throw new GatewayError("usage", "write it like: mcpctl auth key create NAME");
  const made = newApiKey({
    name,
    groups: listFlag(flags, "group"),
    scopes: listFlag(flags, "scope"),
    expires: textFlag(flags, "expires"),
  });
  if (wordFlag(flags, "output", formats) === "json") {
    await answer(JSON.stringify(document("ApiKey", { ...made }), undefined, 2));
    return 0;
  }
  // Not into the file that the config may be written to: that holds no keys.
  say(`the key of ${name}, which is shown nowhere else: ${made.key}`);
  const { stringify } = await import("yaml");
  await print(stringify(made.config));
  return 0;
}
