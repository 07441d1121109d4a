// What a config may say of metrics, traces and logs, as it is read, and the rules that both readers keep.

export const logFormats = ["auto", "human", "json"] as const;
export type LogFormat = (typeof logFormats)[number];
export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevelName = (typeof logLevels)[number];
export const requestLogs = ["off", "failed", "all"] as const;
export type RequestLog = (typeof requestLogs)[number];

export interface MetricsConfig {
  readonly disabled?: boolean | undefined;
  readonly listen?: { readonly host?: string | undefined; readonly port?: number | undefined } | undefined;
  readonly tools?: number | undefined;
}

export interface TracesConfig {
  readonly endpoint?: string | undefined;
  readonly sample?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly service?: string | undefined;
  readonly disabled?: boolean | undefined;
}

export const logOutputs = ["stderr", "stdout"] as const;
export type LogOutput = (typeof logOutputs)[number];

export interface LogConfig {
  readonly output?: LogOutput | undefined;
  readonly format?: LogFormat | undefined;
  readonly level?: LogLevelName | undefined;
  readonly levels?: Readonly<Record<string, LogLevelName>> | undefined;
  readonly requests?: RequestLog | undefined;
}

/** What a config says of what is seen of the gateway. */
export interface ObserveConfig {
  readonly metrics?: MetricsConfig | undefined;
  readonly traces?: TracesConfig | undefined;
  readonly log?: LogConfig | undefined;
}

export const maxNamedTools = 10_000;
/** A component: `gateway`, `request`, `backend`, or one backend as `backend NAME`. */
export const componentPattern: RegExp = /^(?:gateway|request|backend(?: [A-Za-z0-9][A-Za-z0-9_.-]{0,31})?)$/;

/** Where an OpenTelemetry collector takes traces: its base address, to which /v1/traces is added. */
export function isCollectorUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username !== "" || url.password !== "" || /[#\s\0]/.test(text)) return false;
  return url.protocol === "https:" || url.protocol === "http:";
}
