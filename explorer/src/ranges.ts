// Files of the data set, read by byte ranges from the folder that the page is served from.
import type { AsyncBuffer } from "hyparquet";
import { messageOf } from "./loading";

/** Ranges closer than this are fetched together: a request costs more than these bytes. */
const MAX_GAP = 64 << 10;
/** Files up to this size are fetched whole, once. */
const SMALL_FILE = 256 << 10;

/** What was fetched so far, of everything; shown at the foot of the page. */
export const traffic = { requests: 0, bytes: 0 };

interface Wanted {
  start: number;
  end: number;
  resolve: (bytes: ArrayBuffer) => void;
  reject: (reason: unknown) => void;
}

/** Group ranges that overlap or are close, in order. */
export function merged<T extends { start: number; end: number }>(
  ranges: T[],
  maxGap: number,
): T[][] {
  const groups: T[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    if (range.start - end > maxGap) groups.push([]);
    groups.at(-1)!.push(range);
    end = Math.max(end, range.end);
  }
  return groups;
}

/** A file that is not available; the message says which, and why. */
export class FetchError extends Error {}

/** Fetch a file, or a range of it. Throws a FetchError. */
export async function fetched(
  url: string,
  range?: { start: number; end: number },
): Promise<ArrayBuffer> {
  const headers: Record<string, string> = range
    ? { Range: `bytes=${range.start}-${range.end - 1}` }
    : {};
  const failed = (why: unknown): FetchError => new FetchError(`${decodeURI(url)}: ${why}`);
  const response = await fetch(url, { headers }).catch((error) => {
    throw failed(`the server does not answer (${messageOf(error)})`);
  });
  if (!response.ok) throw failed(`${response.status} ${response.statusText}`);
  const bytes = await response.arrayBuffer().catch((error) => {
    throw failed(`the server broke off (${messageOf(error)})`);
  });
  traffic.requests += 1;
  traffic.bytes += bytes.byteLength;
  // A server without ranges sends the complete file.
  return range && response.status === 200 ? bytes.slice(range.start, range.end) : bytes;
}

/** A file whose ranges, as far as they are asked for at the same time, are fetched together. */
export class RangedFile implements AsyncBuffer {
  private queue: Wanted[] = [];
  private complete: Promise<ArrayBuffer> | undefined;

  constructor(
    readonly url: string,
    readonly byteLength: number,
  ) {}

  /** Fetch the file whole, for its ranges to be read from memory. */
  fetchWhole(): void {
    this.complete ??= fetched(this.url);
  }

  async slice(start: number, end = this.byteLength): Promise<ArrayBuffer> {
    if (this.byteLength <= SMALL_FILE) this.fetchWhole();
    if (this.complete) return (await this.complete).slice(start, end);
    return new Promise((resolve, reject) => {
      // Not a microtask: columns that are read together ask one after the other.
      if (this.queue.length === 0) setTimeout(() => this.flush());
      this.queue.push({ start, end, resolve, reject });
    });
  }

  private flush(): void {
    const groups = merged(this.queue, MAX_GAP);
    this.queue = [];
    for (const group of groups) void this.serve(group);
  }

  private async serve(group: Wanted[]): Promise<void> {
    const start = group[0]!.start;
    const end = Math.max(...group.map((wanted) => wanted.end));
    try {
      const bytes = await fetched(this.url, { start, end });
      for (const wanted of group)
        wanted.resolve(bytes.slice(wanted.start - start, wanted.end - start));
    } catch (error) {
      for (const wanted of group) wanted.reject(error);
    }
  }
}
