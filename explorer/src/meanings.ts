// What names in the tables mean, as published in `meanings`.
import type { Row } from "./dataset";

export class Meanings {
  private readonly found: Map<string, string>;

  constructor(rows: Row[]) {
    this.found = new Map(rows.map((row) => [`${row.kind} ${row.name}`, String(row.meaning)]));
  }

  /** The meaning of a name of this kind, if it has one. */
  of(kind: string, name: string): string | undefined {
    return this.found.get(`${kind} ${name}`);
  }
}
