// The demo backend "clock": it runs as two replicas, and every answer says which of them gave it.

import type { DemoServer, JsonObject } from "./demo-server.ts";
import { addDuration, localTime, parseDate, parseDuration, suggestZones, weekdayOf } from "./demo-time.ts";
import {
  defineTool,
  mistake,
  objectSchema,
  optional,
  pure,
  structured,
  textField,
  type Tool,
  toolMethods,
} from "./demo-tools.ts";

export function createClock(replica: string): DemoServer {
  return {
    info: { name: "mcpctl-demo-clock", title: `mcpctl demo: clock, replica ${replica}`, version: "1.0.0" },
    capabilities: { tools: {} },
    instructions:
      "Tells the time in any time zone and adds durations to dates. Several replicas of this server run side by side; " +
      'the member "replica" of each answer names the one that gave it.',
    methods: new Map(toolMethods([now(replica), add(replica)].map((tool) => signMistakes(tool, replica)))),
  };
}

const string = { type: "string" } as const;

function now(replica: string): Tool {
  return defineTool({
    name: "now",
    title: "Current time",
    description: "The current date and time, in UTC or in a time zone.",
    fields: { timezone: optional(textField('IANA time zone, such as "Europe/Berlin"', { maxLength: 100 }), "UTC") },
    output: objectSchema({
      time: string,
      weekday: string,
      timezone: string,
      unixMs: { type: "integer" },
      replica: string,
    }),
    annotations: pure,
    run({ timezone }) {
      const unixMs = Date.now();
      const local = localTime(unixMs, timezone);
      if (local) return structured({ ...local, timezone, unixMs, replica });
      const near = suggestZones(timezone);
      const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : 'use a name such as "America/New_York".';
      return mistake(`${JSON.stringify(timezone)} is not an IANA time zone; ${hint}`);
    },
  });
}

function add(replica: string): Tool {
  return defineTool({
    name: "add",
    title: "Add a duration to a date",
    description:
      "Adds an ISO 8601 duration to a date. Months are calendar months: one month after January 31 is the last day of " +
      "February. A date without an offset is in UTC, and so is the answer.",
    fields: {
      date: textField('ISO 8601 date or date-time: "2030-01-31" or "2030-01-31T09:30:00+01:00"', { maxLength: 40 }),
      duration: textField('ISO 8601 duration: "P1M", "P2DT3H30M" or, backwards, "-P1W"', { maxLength: 60 }),
    },
    output: objectSchema({ start: string, result: string, weekday: string, replica: string }),
    annotations: pure,
    run({ date, duration }) {
      const start = parseDate(date);
      if (start === undefined) {
        return mistake(`${JSON.stringify(date)} is not a date; write it like "2030-01-31" or "2030-01-31T09:30:00Z".`);
      }
      const length = parseDuration(duration);
      if (!length) return mistake(`${JSON.stringify(duration)} is not a duration; write it like "P1M" or "P1DT12H".`);
      const end = addDuration(start, length);
      if (end === undefined) return mistake("The result is beyond the dates that can be counted.");
      const iso = (unixMs: number): string => new Date(unixMs).toISOString();
      return structured({ start: iso(start), result: iso(end), weekday: weekdayOf(end), replica });
    },
  });
}

/** An error result has no structured content, so its text says which replica it came from. */
function signMistakes(tool: Tool, replica: string): Tool {
  const sign = (result: JsonObject): JsonObject => {
    const { content, isError } = result;
    if (isError !== true || !Array.isArray(content)) return result;
    return { ...result, content: [...content, { type: "text", text: `(answered by replica ${replica})` }] };
  };
  return {
    ...tool,
    call(given, call) {
      const result = tool.call(given, call);
      return result instanceof Promise ? result.then(sign) : sign(result);
    },
  };
}
