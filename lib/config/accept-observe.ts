// Reads what a config says of metrics, traces and logs, without a mistake.

import { type Fields, fieldsOf, flag, integer, mapOf, matching, oneOf, quantity, type Reader } from "./readers.ts";
import { readAddress, textPattern } from "./rules.ts";
import {
  componentPattern,
  isCollectorUrl,
  type LogConfig,
  logFormats,
  logLevels,
  logOutputs,
  maxNamedTools,
  type MetricsConfig,
  type ObserveConfig,
  requestLogs,
  type TracesConfig,
} from "./rules-observe.ts";
import { parseShare } from "./units.ts";

const text = matching(textPattern);
const filled: Reader<string> = (value) => (value === "" ? undefined : text(value));

export const observeFields: Fields<ObserveConfig> = {
  metrics: fieldsOf<MetricsConfig>({ disabled: flag, listen: readAddress, tools: integer(0, maxNamedTools) }),
  traces: fieldsOf<TracesConfig>({
    endpoint: (value) => (typeof value === "string" && isCollectorUrl(value) ? value : undefined),
    sample: quantity(parseShare, 0, 1),
    headers: mapOf(text, text),
    service: filled,
    disabled: flag,
  }),
  log: fieldsOf<LogConfig>({
    format: oneOf(...logFormats),
    output: oneOf(...logOutputs),
    level: oneOf(...logLevels),
    levels: mapOf(matching(componentPattern), oneOf(...logLevels)),
    requests: oneOf(...requestLogs),
  }),
};
