// `mcpctl auth`: keys for those who may come in, and what they may do then.

import { GatewayError, suggest } from "../lib/index.ts";
import { newApiKey } from "../lib/toolbox.ts";
import { document } from "./answer.ts";
import { type Command, type Flags, listFlag, textFlag, wordFlag } from "./command.ts";
import { configFlag, outputFlag } from "./common.ts";
import { answer, print, say } from "./output.ts";

const actions = ["key", "can-i"] as const;
const formats = ["yaml", "json"] as const;

const command: Command = {
  meta: { name: "auth", description: "Make keys, and say who may use what" },
  args: {
    action: { type: "positional", description: "key create NAME, or can-i PRINCIPAL BACKEND/TOOL" },
    words: { type: "positional", description: "what the action takes", required: false },
    group: { type: "string", description: "Group of the holder; may be repeated", valueHint: "name" },
    scope: { type: "string", description: "Scope of the holder; may be repeated", valueHint: "scope" },
    expires: { type: "string", description: "Day from which on the key is refused", valueHint: "date" },
    config: configFlag,
    kind: { type: "string", description: "tools, prompts, resources or methods", valueHint: "kind" },
    output: outputFlag(formats),
  },
  examples: [
    "mcpctl auth key create ci",
    "mcpctl auth key create ada --group ops --expires 2030-12-31",
    "mcpctl auth can-i key:ci fs/write_file",
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
