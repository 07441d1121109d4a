// Where an address leads: out into the world, into this network, or to this machine; and which of them a peer may name.

import { BlockList, isIP } from "node:net";
import { isLoopback } from "../core/loopback.ts";

/** `link`: what answers on the wire alone, like the metadata of cloud machines. */
export type Zone = "world" | "inside" | "link" | "here";

const nets: readonly (readonly [zone: Zone, net: string, prefix: number])[] = [
  ["here", "0.0.0.0", 8],
  ["here", "127.0.0.0", 8],
  ["link", "169.254.0.0", 16],
  ["inside", "10.0.0.0", 8],
  ["inside", "100.64.0.0", 10],
  ["inside", "172.16.0.0", 12],
  ["inside", "192.0.0.0", 24],
  ["inside", "192.168.0.0", 16],
  ["inside", "198.18.0.0", 15],
  ["inside", "224.0.0.0", 3],
  ["here", "::", 127],
  ["link", "fe80::", 10],
  ["link", "fd00:ec2::254", 128],
  ["inside", "2001::", 32],
  ["inside", "fc00::", 7],
  ["inside", "fec0::", 10],
  ["inside", "ff00::", 8],
];

const lists = nets.map(([zone, net, prefix]) => {
  const list = new BlockList();
  const family = net.includes(":") ? "ipv6" : "ipv4";
  list.addSubnet(net, prefix, family);
  return { zone, list, family };
});

/** Which may be named by whom: the world by everybody, and what is near by what is as near. */
const known: Readonly<Record<Zone, ReadonlySet<Zone>>> = {
  world: new Set(["world", "inside", "link", "here"]),
  inside: new Set(["inside", "here"]),
  link: new Set(["link"]),
  here: new Set(["here"]),
};

/** Undefined for a name that has to be looked up. */
export function zoneOf(host: string): Zone | undefined {
  if (isIP(host) === 0)
    return isLoopback(plainName(host)) || /(?:^|\.)localhost$/.test(plainName(host)) ? "here" : undefined;
  const address = embedded(host) ?? host;
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  return lists.find((each) => each.family === family && each.list.check(address, family))?.zone ?? "world";
}

/** The host of a URL, as it is looked up. */
export function hostOf(url: URL): string {
  return url.protocol === "unix:" ? "localhost" : url.hostname.replace(/^\[|\]$/g, "");
}

/** Whether somebody in one of these zones may name an address in this one. */
export function mayName(by: readonly Zone[], zone: Zone): boolean {
  return by.some((each) => known[zone].has(each));
}

/**
 * Why an address that a peer names may not be used; undefined where it may. `trusted`: what the operator has named
 * itself, the backend first. Names are not looked up.
 */
export function whyForeign(written: string | URL, trusted: readonly URL[]): string | undefined {
  const url = URL.parse(String(written));
  if (!url) return "is no address";
  if (url.username !== "" || url.password !== "") return "holds credentials";
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
  if (!isSafe) return "is not over TLS";
  const host = hostOf(url);
  const zone = zoneOf(host);
  if (zone === undefined || trusted.some((each) => hostOf(each) === host)) return undefined;
  // A name may lead anywhere: which of the two is nearer is known when they are looked up.
  const zones = trusted.map((each) => zoneOf(hostOf(each)) ?? "world");
  return mayName(zones, zone) ? undefined : nearer;
}

export const nearer = "is inside this network, and the server that names it is not";

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

/** The IPv4 address in an IPv6 one that means it: mapped, translated (NAT64), or in a tunnel (6to4). */
function embedded(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const words = wordsOf(address);
  const quad = (at: number): string => {
    const [high = 0, low = 0] = words.slice(at, at + 2);
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  };
  if (words[0] === 0x2002) return quad(1);
  const starts = (...prefix: readonly number[]): boolean => prefix.every((word, at) => words[at] === word);
  const isMapped = starts(0, 0, 0, 0, 0, 0xffff) || starts(0, 0, 0, 0, 0xffff, 0) || starts(0x64, 0xff9b, 0, 0, 0, 0);
  // "::" and "::1" are no IPv4 addresses.
  const isOld = starts(0, 0, 0, 0, 0, 0) && (words[6] ?? 0) > 0;
  return isMapped || isOld ? quad(6) : undefined;
}

/** The eight parts of an IPv6 address. */
function wordsOf(address: string): readonly number[] {
  // The URL parser writes the last four bytes in hex, whatever they were.
  const plain = URL.parse(`http://[${address.replace(/%.*$/, "")}]/`)?.hostname.slice(1, -1) ?? "";
  const [head = "", tail] = plain.split("::");
  const read = (part: string): readonly number[] =>
    part === "" ? [] : part.split(":").map((word) => parseInt(word, 16));
  if (tail === undefined) return read(head);
  const [before, after] = [read(head), read(tail)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}
