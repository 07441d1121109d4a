// Sealed state: small payloads that leave the gateway and come back, encrypted and authenticated (AES-256-GCM).
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
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

interface SealKey {
  readonly key: Uint8Array;
  /** One byte that says which key sealed, so that opening rarely tries a wrong one. */
  readonly hint: number;
}

/**
 * Seals and opens payloads with the same keys. Nonces are random: replace the first key before it has sealed 2^32
 * payloads.
 */
export class Sealer {
  readonly #first: SealKey;
  readonly #keys: readonly SealKey[];

  /** The first key seals, all of them open; without any, one random key that lasts as long as this object. */
  constructor(keys: readonly string[]) {
    if (keys.includes("")) throw new GatewayError("configInvalid", "a seal key is empty");
    const [first = deriveKey(randomBytes(keyBytes)), ...others] = keys.map((secret) => deriveKey(secret));
    this.#first = first;
    this.#keys = [first, ...others];
  }

  /** Base64url text that only {@link open} with the same purpose turns back into the payload. */
  seal(purpose: string, payload: Uint8Array | string): string {
    const { key, hint } = this.#first;
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(associatedData(hint, purpose));
    const text = cipher.update(typeof payload === "string" ? Buffer.from(payload) : payload);
    // GCM has no padding: final() writes nothing and computes the tag.
    cipher.final();
    return Buffer.concat([Buffer.of(version, hint), nonce, text, cipher.getAuthTag()]).toString("base64url");
  }

  /** Signs of a text, always the same for the same text: one for each key, the first one to be given away. */
  signs(purpose: string, text: string): readonly string[] {
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
  const derived = new Uint8Array(hkdfSync("sha256", secret, "mcpctl", "seal v1", keyBytes + 1));
  return { key: derived.subarray(0, keyBytes), hint: derived[keyBytes] ?? 0 };
}

function associatedData(hint: number, purpose: string): Uint8Array {
  return Buffer.concat([Buffer.of(version, hint), Buffer.from(purpose)]);
}

function decrypt(key: Uint8Array, associated: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  const textStart = headBytes + nonceBytes;
  const tagStart = bytes.length - tagBytes;
  try {
    const options = { authTagLength: tagBytes };
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(headBytes, textStart), options);
    decipher.setAAD(associated);
    decipher.setAuthTag(bytes.subarray(tagStart));
    const payload = new Uint8Array(decipher.update(bytes.subarray(textStart, tagStart)));
    decipher.final();
    return payload;
  } catch {
    return undefined; // The tag does not match: not sealed by this key for this purpose.
  }
}
