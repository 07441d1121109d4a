// Dates, durations and time zones of the demo clock, read strictly: Date.parse accepts more than it should.

export interface Duration {
  readonly months: number;
  readonly ms: number;
}

const dayMs = 86_400_000;
const datePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3})\d*)?)?(?:Z|([+-])(\d{2}):(\d{2}))?)?$/i;

/** An ISO 8601 date or date-time as Unix milliseconds; undefined where it is neither, or names a day that never was. */
export function parseDate(text: string): number | undefined {
  const match = datePattern.exec(text.trim());
  if (!match) return undefined;
  const number = (group: number): number => Number(match[group] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second, ms] = [number(4), number(5), number(6), Number((match[7] ?? "").padEnd(3, "0"))];
  const real = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month - 1);
  if (!real || hour > 23 || minute > 59 || second > 59 || number(9) > 23 || number(10) > 59) return undefined;
  const offset = (number(9) * 60 + number(10)) * 60_000 * (match[8] === "-" ? -1 : 1);
  return utc(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000 + ms - offset;
}

const durationPattern =
  /^([+-])?P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;

/** An ISO 8601 duration such as `P1M2DT3H`, with an optional sign; undefined where it is none. */
export function parseDuration(text: string): Duration | undefined {
  const match = durationPattern.exec(text.trim());
  if (!match) return undefined;
  const number = (group: number): number => Number(match[group] ?? 0);
  const sign = match[1] === "-" ? -1 : 1;
  const days = number(4) * 7 + number(5);
  const seconds = (number(6) * 60 + number(7)) * 60 + number(8);
  return { months: sign * (number(2) * 12 + number(3)), ms: sign * (days * dayMs + Math.round(seconds * 1000)) };
}

/** Months first, kept inside the month that they lead to, then the rest; undefined beyond the range of dates. */
export function addDuration(unixMs: number, { months, ms }: Duration): number | undefined {
  const start = new Date(unixMs);
  const month = start.getUTCFullYear() * 12 + start.getUTCMonth() + months;
  const [year, inYear] = [Math.floor(month / 12), ((month % 12) + 12) % 12];
  const day = Math.min(start.getUTCDate(), daysIn(year, inYear));
  const sinceMidnight = ((unixMs % dayMs) + dayMs) % dayMs;
  const end = utc(year, inYear, day) + sinceMidnight + ms;
  return Number.isNaN(new Date(end).getTime()) ? undefined : end;
}

/** A moment on the wall clock of a time zone, with its offset; undefined where there is no such zone. */
export function localTime(unixMs: number, timezone: string): { time: string; weekday: string } | undefined {
  const format = zoneFormat(timezone);
  if (!format) return undefined;
  const parts = new Map(format.formatToParts(unixMs).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  const date = `${part("year")}-${part("month")}-${part("day")}`;
  const time = `${part("hour")}:${part("minute")}:${part("second")}`;
  return { time: `${date}T${time}${offset}`, weekday: part("weekday") };
}

/** The English name of a moment's day of the week, in UTC. */
export function weekdayOf(unixMs: number): string {
  return new Intl.DateTimeFormat("en-US", { timeZone: "UTC", weekday: "long" }).format(unixMs);
}

/** Up to three time zones whose name holds what was asked for. */
export function suggestZones(asked: string): string[] {
  const wanted = (asked.split("/").at(-1) ?? "").trim().toLowerCase().replaceAll(" ", "_");
  if (wanted.length < 3) return [];
  const near = Intl.supportedValuesOf("timeZone").filter((zone) => zone.toLowerCase().includes(wanted));
  return near.slice(0, 3);
}

function zoneFormat(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      weekday: "long",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      timeZoneName: "longOffset",
    });
  } catch {
    return undefined; // A RangeError is how a zone that does not exist shows.
  }
}

/** Midnight of a day; `Date.UTC` would take the years 0 to 99 for 1900 to 1999. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

function daysIn(year: number, month: number): number {
  return new Date(utc(year, month + 1, 0)).getUTCDate();
}
