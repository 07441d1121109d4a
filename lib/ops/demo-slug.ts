// Slugs: a text as lower-case ASCII words, fit for an address.

/** Accents go, and everything that is no letter or digit separates. Empty when there is no Latin letter and no digit. */
export function slugify(text: string, separator: "-" | "_"): string {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return (plain.match(/[a-z0-9]+/g) ?? []).join(separator);
}
