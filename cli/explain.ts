// `mcpctl explain`: what an error code means, and what to do about it.

import { GatewayError, suggest } from "../lib/index.ts";
import { explain, explainedCodes } from "../lib/toolbox.ts";
import { document, formats, show } from "./answer.ts";
import { type Command, wordFlag } from "./command.ts";
import { outputFlag } from "./common.ts";

const command: Command = {
  meta: { name: "explain", description: "Say what an error code means, and what to do" },
  args: {
    code: { type: "positional", description: "Like E4103; every code if left out", required: false },
    output: outputFlag(formats),
  },
  examples: ["mcpctl explain E4103", "mcpctl explain -o json"],
  async run(flags) {
    const format = wordFlag(flags, "output", formats) ?? "table";
    const [code] = flags.positionals;
    const found = (code === undefined ? explainedCodes() : [code]).flatMap((each) => explain(each) ?? []);
    if (found.length === 0 && code !== undefined) {
      const near = suggest(code, explainedCodes());
      const meant = near === undefined ? "mcpctl explain lists them" : `did you mean ${near}?`;
      throw new GatewayError("usage", `there is no error ${JSON.stringify(code)}; ${meant}`);
    }
    const [only] = found;
    await show(format, {
      kind: "Explanations",
      body: { items: found },
      lines: found.map((each) => document("Explanation", { ...each })),
      names: found.map((each) => each.code),
      text: async (wide) => {
        const { table } = await import("./columns.ts");
        const columns = ["CODE", "NAME", "CAUSE", ...(wide ? ["FIX"] : [])].map((title) => ({
          title,
          flexible: title === "CAUSE" || title === "FIX",
        }));
        if (code === undefined || !only)
          return table(
            columns,
            found.map((each) => [each.code, each.name, each.cause, each.fix]),
          );
        const exit = only.exit === undefined ? [] : [`  exit code: ${only.exit}`];
        const cause = only.cause === "" ? [] : [`  cause: ${only.cause}`];
        return [`${only.code} ${only.name}`, ...cause, `  fix: ${only.fix}`, ...exit];
      },
    });
    return 0;
  },
};

export default command;
