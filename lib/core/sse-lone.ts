// One whole event of a stream, in the form that most servers give it, found without a copy.

const lf = 0x0a;
const cr = 0x0d;
const space = 0x20;
const eventField = "event: message";
const dataField = "data:";

/** Where the data of the event is that was found last. */
export class LoneEvent {
  start = 0;
  end = 0;

  /**
   * Whether these bytes are one event of messages with one line of data and nothing else, but for line breaks within the
   * data: those are for the caller to exclude.
   */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    if (reads(bytes, at, eventField)) at = afterBreak(bytes, at + eventField.length);
    if (at < 0 || !reads(bytes, at, dataField)) return false;
    at += dataField.length;
    this.start = bytes[at] === space ? at + 1 : at;
    if (bytes[end - 1] !== lf) return false;
    const isCr = bytes[end - 2] === cr;
    const first = isCr ? end - 3 : end - 2;
    if (bytes[first] !== lf || (isCr && bytes[first - 1] !== cr)) return false;
    this.end = isCr ? first - 1 : first;
    return this.end > this.start;
  }
}

function reads(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** Where the next line begins; -1 where the line goes on. */
function afterBreak(bytes: Uint8Array, at: number): number {
  const end = bytes[at] === cr ? at + 1 : at;
  return bytes[end] === lf ? end + 1 : -1;
}
