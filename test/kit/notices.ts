// A record of the notifications that a test client has received, and a way to wait for one.

/** A notification as it arrived. */
export interface Notice {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Waits until a notification (also an earlier one) satisfies the condition. */
export type Notified = (
  method: string,
  condition?: (params: Readonly<Record<string, unknown>>) => boolean,
) => Promise<Notice>;

export interface Notices {
  /** In the order of arrival. */
  readonly all: readonly Notice[];
  readonly notified: Notified;
  /** Takes every message that arrives and keeps the notifications. */
  take(message: object): void;
}

const timeoutMs = 30_000;

export function createNotices(): Notices {
  const all: Notice[] = [];
  const waiting = new Set<() => void>();
  const take: Notices["take"] = (message) => {
    if (!("method" in message) || "id" in message) return;
    const params = "params" in message ? message.params : undefined;
    const isRecord = typeof params === "object" && params !== null;
    all.push({
      method: String(message.method),
      ...(isRecord && { params: Object.fromEntries(Object.entries(params)) }),
    });
    for (const check of waiting) check();
  };
  const notified: Notified = (method, condition = () => true) =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = all.find((one) => one.method === method && condition(one.params ?? {}));
        if (found === undefined) return;
        waiting.delete(check);
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        waiting.delete(check);
        reject(new Error(`no ${method} in ${timeoutMs} ms; got ${JSON.stringify(all)}`));
      }, timeoutMs);
      waiting.add(check);
      check();
    });
  return { all, notified, take };
}
