// Files of the data set, read by byte ranges from the folder that the page is served from.
import type { AsyncBuffer } from "hyparquet";
import { messageOf } from "./loading";

/** Ranges closer than this are fetched together: a request costs more than these bytes. */
const MAX_GAP = 64 << 10;
/** Browsers send six requests to a server at a time: of more, the closest are fetched together. */
const MAX_REQUESTS = 4;
const MAX_FAR_GAP = 256 << 10;
/** What is kept of a file: pages are of many rows, and the next row is often in the same ones. */
const KEPT_SPANS = 8;
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

interface Span {
  start: number;
  end: number;
}

/** Group ranges that are fetched together, in order. */
export function merged<T extends Span>(ranges: T[]): T[][] {
  const ordered = ranges.toSorted((a, b) => a.start - b.start);
  // Before each range but the first, how far it is from all those before it.
  let end = ordered[0]?.end ?? 0;
  const gaps = ordered.slice(1).map((range) => {
    const gap = range.start - end;
    end = Math.max(end, range.end);
    return gap;
  });
  const furthest = gaps.toSorted((a, b) => b - a)[MAX_REQUESTS - 1] ?? 0;
  const maxGap = Math.max(MAX_GAP, Math.min(furthest, MAX_FAR_GAP));
  const groups: T[][] = [];
  for (const [number, range] of ordered.entries()) {
    if (number === 0 || gaps[number - 1]! > maxGap) groups.push([]);
    groups.at(-1)!.push(range);
  }
  return groups;
}

/** A file that is not available; the message says which, and why. */
export class FetchError extends Error {}

/** Fetch a file. Throws a FetchError. */
export async function fetched(url: string): Promise<ArrayBuffer> {
  return (await fetchedFrom(url)).bytes;
}

/** Fetch a range of a file; all of it, if the server knows no ranges. */
async function fetchedFrom(
  url: string,
  range?: Span,
): Promise<{ bytes: ArrayBuffer; isWhole: boolean }> {
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
  return { bytes, isWhole: response.status === 200 };
}

/** A file whose ranges, as far as they are asked for at the same time, are fetched together. */
export class RangedFile implements AsyncBuffer {
  private queue: Wanted[] = [];
  private spans: { start: number; end: number; bytes: ArrayBuffer }[] = [];
  private complete: Promise<ArrayBuffer> | undefined;
  private tail: { start: number; bytes: Promise<ArrayBuffer> } | undefined;

  constructor(
    readonly url: string,
    readonly byteLength: number,
  ) {}

  /** Fetch the file whole, for its ranges to be read from memory. */
  fetchWhole(): void {
    if (this.complete) return;
    this.complete = fetched(this.url);
    // It can be tried again.
    this.complete.catch(() => {
      this.complete = undefined;
    });
  }

  /** Fetch the last bytes of the file once, for the ranges in them to be read from memory. */
  fetchTail(length: number): void {
    if (this.tail || this.byteLength <= SMALL_FILE) return;
    const start = Math.max(0, this.byteLength - length);
    const bytes = this.fetchSpan({ start, end: this.byteLength });
    this.tail = { start, bytes };
    bytes.catch(() => {
      this.tail = undefined;
    });
  }

  async slice(start: number, end = this.byteLength): Promise<ArrayBuffer> {
    if (this.byteLength <= SMALL_FILE) this.fetchWhole();
    if (this.complete) return (await this.complete).slice(start, end);
    const { tail } = this;
    if (tail && start >= tail.start) {
      return (await tail.bytes).slice(start - tail.start, end - tail.start);
    }
    const kept = this.spans.find((span) => span.start <= start && end <= span.end);
    if (kept) return kept.bytes.slice(start - kept.start, end - kept.start);
    return new Promise((resolve, reject) => {
      // Not a microtask: columns that are read together ask one after the other.
      if (this.queue.length === 0) setTimeout(() => this.flush());
      this.queue.push({ start, end, resolve, reject });
    });
  }

  private flush(): void {
    const groups = merged(this.queue);
    this.queue = [];
    for (const group of groups) void this.serve(group);
  }

  private async serve(group: Wanted[]): Promise<void> {
    const start = group[0]!.start;
    const end = Math.max(...group.map((wanted) => wanted.end));
    try {
      const bytes = await this.fetchSpan({ start, end });
      this.spans = [{ start, end, bytes }, ...this.spans.slice(0, KEPT_SPANS - 1)];
      for (const wanted of group)
        wanted.resolve(bytes.slice(wanted.start - start, wanted.end - start));
    } catch (error) {
      for (const wanted of group) wanted.reject(error);
    }
  }

  private async fetchSpan(span: Span): Promise<ArrayBuffer> {
    const { bytes, isWhole } = await fetchedFrom(this.url, span);
    if (!isWhole) return bytes;
    // The server knows no ranges: the file is not fetched again.
    this.complete ??= Promise.resolve(bytes);
    return bytes.slice(span.start, span.end);
  }
}
