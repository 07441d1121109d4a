// `mcpctl audit verify`: whether an audit log is as it was written.

import { GatewayError } from "../lib/index.ts";
import { verifyAudit } from "../lib/toolbox.ts";
import { document } from "./answer.ts";
import { type Command, wordFlag } from "./command.ts";
import { outputFlag } from "./common.ts";
import { answer } from "./output.ts";

const command: Command = {
  meta: { name: "audit", description: "Check that an audit log is as it was written" },
  args: {
    action: { type: "positional", description: "verify" },
    file: { type: "positional", description: "Files of one log, the oldest first", required: false },
    output: outputFlag(["text", "json"]),
  },
  examples: ["mcpctl audit verify audit.ndjson", "mcpctl audit verify audit.ndjson.* audit.ndjson"],
  variadic: true,
  async run(flags) {
    const [action, ...files] = flags.positionals;
    if (action !== "verify" || files.length === 0)
      throw new GatewayError("usage", "write it like: mcpctl audit verify FILE...");
    const verdict = await verifyAudit(files).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new GatewayError("usage", `the audit log cannot be read: ${why}`, { cause: error });
    });
    const { lines, hash, broken } = verdict;
    const said = broken
      ? `${broken.file}:${broken.line}: ${broken.why}; ${lines} lines before it are as they were written`
      : `${lines} lines are as they were written; the last hash is ${hash}`;
    const isJson = wordFlag(flags, "output", ["text", "json"]) === "json";
    await answer(isJson ? JSON.stringify(document("AuditVerdict", { ok: !broken, ...verdict }), undefined, 2) : said);
    return broken ? 1 : 0;
  },
};

export default command;
