// Sealed state: small payloads that leave the gateway and come back, encrypted and authenticated (AES-256-GCM).
import { Buffer } from "node:buffer";
import { nodeCrypto } from "./builtins.ts";
import { GatewayError } from "./errors.ts";

// Layout before base64url: version, key hint, nonce, ciphertext, tag. The associated data is version, hint, purpose.
const version = 1;
const headBytes = 2;
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;
/** 132 bits. */
const signLength = 22;
const algorithm = "aes-256-gcm";
const salt = "mcpctl";
const info = "seal v1";

interface SealKey {
  readonly key: Uint8Array;
  /** One byte that says which key sealed, so that opening rarely tries a wrong one. */
  readonly hint: number;
}

/** The same key as the runtime's web cryptography takes it. */
interface WebKey {
  readonly key: CryptoKey;
  readonly hint: number;
}

/**
 * Seals and opens payloads with the same keys. Nonces are random: replace the first key before it has sealed 2^32
 * payloads.
 */
export class Sealer {
  readonly #secrets: readonly [first: string | Uint8Array, ...others: readonly (string | Uint8Array)[]];
  #derived: readonly [first: SealKey, ...others: readonly SealKey[]] | undefined;
  #web: Promise<WebKey> | undefined;

  /** The first key seals, all of them open; without any, one random key that lasts as long as this object. */
  constructor(keys: readonly string[]) {
    if (keys.includes("")) throw new GatewayError("configInvalid", "a seal key is empty");
    const [first = crypto.getRandomValues(new Uint8Array(keyBytes)), ...others] = keys;
    this.#secrets = [first, ...others];
  }

  get #keys(): readonly [first: SealKey, ...others: readonly SealKey[]] {
    const [first, ...others] = this.#secrets;
    return (this.#derived ??= [deriveKey(first), ...others.map(deriveKey)]);
  }

  /** Base64url text that only {@link open} with the same purpose turns back into the payload. */
  seal(purpose: string, payload: Uint8Array | string): string {
    const [{ key, hint }] = this.#keys;
    const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
    const cipher = nodeCrypto().createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(associatedData(hint, purpose));
    const text = cipher.update(typeof payload === "string" ? Buffer.from(payload) : payload);
    // GCM has no padding: final() writes nothing and computes the tag.
    cipher.final();
    return Buffer.concat([Buffer.of(version, hint), nonce, text, cipher.getAuthTag()]).toString("base64url");
  }

  /**
   * As {@link seal}, by what every runtime has built in: the ids of sessions are made so, which most gateways need at once,
   * and most need nothing else of `node:crypto`, which takes a sixth of the start.
   */
  async sealLater(purpose: string, payload: Uint8Array): Promise<string> {
    const { key, hint } = await (this.#web ??= deriveWebKey(this.#secrets[0]));
    const iv = crypto.getRandomValues(new Uint8Array(nonceBytes));
    const terms = { name: "AES-GCM", iv, additionalData: associatedData(hint, purpose), tagLength: tagBytes * 8 };
    // The tag stands at the end of it.
    const text = await crypto.subtle.encrypt(terms, key, Uint8Array.from(payload));
    return Buffer.concat([Buffer.of(version, hint), iv, Buffer.from(text)]).toString("base64url");
  }

  /** Signs of a text, always the same for the same text: one for each key, the first one to be given away. */
  signs(purpose: string, text: string): readonly string[] {
    const { createHmac } = nodeCrypto();
    return this.#keys.map(({ key }) => {
      // Not the key that seals: each has one use.
      const own = createHmac("sha256", key).update(`sign ${purpose}`).digest();
      return createHmac("sha256", own).update(text).digest("base64url").slice(0, signLength);
    });
  }

  /** The payload; undefined for any text that was not sealed by one of these keys for this purpose. */
  open(purpose: string, sealed: string): Uint8Array | undefined {
    const bytes = Buffer.from(sealed, "base64url");
    if (bytes.length < headBytes + nonceBytes + tagBytes || bytes[0] !== version) return undefined;
    // The decoder skips what it does not know, so many texts would open alike.
    if (bytes.toString("base64url") !== sealed) return undefined;
    for (const { key, hint } of this.#keys) {
      if (hint !== bytes[1]) continue;
      const payload = decrypt(key, associatedData(hint, purpose), bytes);
      if (payload !== undefined) return payload;
    }
    return undefined;
  }
}

function deriveKey(secret: string | Uint8Array): SealKey {
  const derived = new Uint8Array(nodeCrypto().hkdfSync("sha256", secret, salt, info, keyBytes + 1));
  return { key: derived.subarray(0, keyBytes), hint: derived[keyBytes] ?? 0 };
}

async function deriveWebKey(secret: string | Uint8Array): Promise<WebKey> {
  const { subtle } = crypto;
  const base = await subtle.importKey("raw", Uint8Array.from(Buffer.from(secret)), "HKDF", false, ["deriveBits"]);
  const terms = { name: "HKDF", hash: "SHA-256", salt: Buffer.from(salt), info: Buffer.from(info) };
  const derived = new Uint8Array(await subtle.deriveBits(terms, base, (keyBytes + 1) * 8));
  const key = await subtle.importKey("raw", derived.subarray(0, keyBytes), "AES-GCM", false, ["encrypt"]);
  return { key, hint: derived[keyBytes] ?? 0 };
}

function associatedData(hint: number, purpose: string): Uint8Array<ArrayBuffer> {
  return Buffer.concat([Buffer.of(version, hint), Buffer.from(purpose)]);
}

function decrypt(key: Uint8Array, associated: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  const textStart = headBytes + nonceBytes;
  const tagStart = bytes.length - tagBytes;
  try {
    const options = { authTagLength: tagBytes };
    const decipher = nodeCrypto().createDecipheriv(algorithm, key, bytes.subarray(headBytes, textStart), options);
    decipher.setAAD(associated);
    decipher.setAuthTag(bytes.subarray(tagStart));
    const payload = new Uint8Array(decipher.update(bytes.subarray(textStart, tagStart)));
    decipher.final();
    return payload;
  } catch {
    return undefined; // The tag does not match: not sealed by this key for this purpose.
  }
}
