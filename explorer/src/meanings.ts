// What names in the tables mean, as published in `meanings`.
import type { Row } from "./dataset";

export class Meanings {
  private readonly found: Map<string, string>;

  constructor(rows: Row[]) {
    this.found = new Map(rows.map((row) => [`${row.kind} ${row.name}`, String(row.meaning)]));
  }

  /** All names of this kind, in their order. */
  namesOf(kind: string): string[] {
    const start = `${kind} `;
    return [...this.found.keys()]
      .filter((name) => name.startsWith(start))
      .map((name) => name.slice(start.length));
  }

  /** The meaning of a name of this kind, if it has one. */
  of(kind: string, name: string): string | undefined {
    return this.found.get(`${kind} ${name}`);
  }
}
