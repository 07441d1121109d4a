// What the gateway shows a backend where nobody signs in: a token from a file that others renew, or one that it asks an issuer for, once for all.

import { readFileSync, statSync } from "node:fs";
import type { ClientPlan, FilePlan } from "../config/outbound.ts";
import { ask, readObject } from "../core/ask.ts";
import { GatewayError } from "../core/errors.ts";
import type { Credential } from "./shown.ts";

/** How soon a file is looked at again. */
const fileMs = 1_000;
/** A token that is about to end is not used any more. */
const marginMs = 30_000;
/** Where the issuer does not say how long a token is good. */
const defaultLifeMs = 300_000;
/** How soon an issuer that gave no token is asked again. */
const pauseMs = 1_000;

interface Token {
  readonly value: string;
  readonly until: number;
}

export class TokenCredential implements Credential {
  readonly #backend: string;
  readonly #resource: string;
  readonly #plan: FilePlan | ClientPlan;
  #token: Token | undefined;
  #asking: Promise<string> | undefined;
  #failed: { readonly error: GatewayError; readonly at: number } | undefined;
  #stamp = "";

  constructor(backend: string, url: string, plan: FilePlan | ClientPlan) {
    this.#backend = backend;
    this.#resource = url;
    this.#plan = plan;
  }

  current(): string | undefined {
    const token = this.#token;
    return token && token.until > Date.now() ? token.value : undefined;
  }

  get isNeeded(): boolean {
    return this.current() === undefined;
  }

  /** The same, asked for where it must be; rejects with `unauthorized`, before anything was sent to the backend. */
  acquire(): Promise<string> {
    const known = this.current();
    if (known !== undefined) return Promise.resolve(known);
    if (this.#failed && Date.now() - this.#failed.at < pauseMs) return Promise.reject(this.#failed.error);
    this.#asking ??= this.#renew().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  refuse(value: string | undefined): void {
    if (this.#token?.value === value) this.#token = undefined;
    this.#stamp = "";
  }

  async #renew(): Promise<string> {
    try {
      this.#token = this.#plan.kind === "file" ? this.#read(this.#plan.file) : await this.#request(this.#plan);
      this.#failed = undefined;
      return this.#token.value;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const failure = new GatewayError("unauthorized", `there is no token for backend "${this.#backend}": ${why}`, {
        backend: this.#backend,
        cause: error,
        data: { sent: false },
      });
      this.#failed = { error: failure, at: Date.now() };
      throw failure;
    }
  }

  #read(file: string): Token {
    const { ino, mtimeMs, size } = statSync(file);
    const stamp = `${ino} ${mtimeMs} ${size}`;
    const until = Date.now() + fileMs;
    if (this.#token && stamp === this.#stamp) return { ...this.#token, until };
    this.#stamp = stamp;
    const text = readFileSync(file, "utf8").trim();
    return { value: bearer(text, `the file ${file}`), until };
  }

  /** RFC 6749, section 4.4, with the resource of RFC 8707. */
  async #request(plan: ClientPlan): Promise<Token> {
    const { tokenUrl, clientId, clientSecret, scopes, resource = this.#resource } = plan;
    const secret = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
    const form = new URLSearchParams({ grant_type: "client_credentials", resource });
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    const { status, bytes } = await ask(tokenUrl, {
      method: "POST",
      headers: {
        accept: "application/json",
        authorization: `Basic ${Buffer.from(secret).toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: form.toString(),
    }).catch((error: unknown) => {
      throw new Error(`${tokenUrl} ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
    if (status !== 200) throw new Error(`${tokenUrl} answered HTTP ${status}`);
    const { access_token: token, token_type: type, expires_in: seconds } = readObject(bytes);
    if (typeof type === "string" && type.toLowerCase() !== "bearer")
      throw new Error(`${tokenUrl} gave no bearer token`);
    const lifeMs = typeof seconds === "number" && seconds > 0 ? seconds * 1000 : defaultLifeMs;
    // One with a short life is used for half of it.
    const until = Date.now() + Math.max(lifeMs - marginMs, lifeMs / 2, pauseMs);
    return { value: bearer(token, tokenUrl), until };
  }
}

/** Nothing but a token may come into a header. */
function bearer(token: unknown, from: string): string {
  if (typeof token !== "string" || !/^[\x21-\x7e]{1,16384}$/.test(token)) throw new Error(`${from} holds no token`);
  return `Bearer ${token}`;
}
