// Whether a version is in a range, as npm's advisories write ranges: `>=1.0.0 <1.2.3 || =2.0.0`.

/** True also where the range cannot be read: what is not understood is no reason to be calm. */
export function isWithin(version: string, range: string): boolean {
  return range.split("||").some((part) => isInAll(version, part.trim()));
}

function isInAll(version: string, part: string): boolean {
  if (part === "" || part === "*") return true;
  const terms = part.replaceAll(/([<>]=?|=)\s+/g, "$1").split(/[\s,]+/);
  return terms.every((term) => {
    const [, sign = "", bound = ""] = /^(<=|>=|<|>|=)?v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?:\+.*)?$/.exec(term) ?? [];
    if (bound === "") return true;
    const order = compare(version, bound);
    switch (sign) {
      case "<":
        return order < 0;
      case "<=":
        return order <= 0;
      case ">":
        return order > 0;
      case ">=":
        return order >= 0;
      default:
        return order === 0;
    }
  });
}

/** Semantic Versioning 2.0.0, section 11. */
function compare(one: string, other: string): number {
  const [a, aEarly] = split(one);
  const [b, bEarly] = split(other);
  const main = compareParts(a.split("."), b.split("."));
  if (main !== 0) return main;
  if (aEarly === undefined || bEarly === undefined) return Number(aEarly === undefined) - Number(bEarly === undefined);
  return compareParts(aEarly.split("."), bEarly.split("."));
}

function split(version: string): readonly [main: string, early: string | undefined] {
  const at = version.indexOf("-");
  return at < 0 ? [version, undefined] : [version.slice(0, at), version.slice(at + 1)];
}

function compareParts(one: readonly string[], other: readonly string[]): number {
  for (let at = 0; at < Math.max(one.length, other.length); at += 1) {
    const [a, b] = [one[at], other[at]];
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    const [isNumber, isOther] = [/^\d+$/.test(a), /^\d+$/.test(b)];
    const order =
      isNumber && isOther ? Number(a) - Number(b) : isNumber ? -1 : isOther ? 1 : a < b ? -1 : Number(a > b);
    if (order !== 0) return Math.sign(order);
  }
  return 0;
}
