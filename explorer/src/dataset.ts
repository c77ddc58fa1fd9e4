// The published tables of a data set: where their files are, and their rows.
import { decompress } from "fzstd";
import {
  type ColumnData,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetReadObjects,
} from "hyparquet";
import { messageOf } from "./loading";
import { FetchError, fetched, RangedFile } from "./ranges";

export type Row = Record<string, unknown>;

/** A round as published in `rounds`, as far as the page shows it. */
export interface Round {
  round_number: number;
  source_model: string;
  seed: number;
  generator_model: string;
  answerer_model: string;
  judge_model: string;
  n_documents: number;
  n_probes: number;
  n_answers: number;
  state: string;
  complement_characters: number;
}

/** What is fetched with a footer, at least and at most; larger footers take a second request. */
const TAIL = { from: 64 << 10, to: 512 << 10, share: 1 / 128 };

const COMPRESSORS: Compressors = {
  // Given a buffer to write to, fzstd compares it with 1, for which JavaScript makes a text of it.
  ZSTD: (bytes) => decompress(bytes),
};

/** A Parquet file; its footer is read once. */
export class Table {
  private metadata: Promise<FileMetaData> | undefined;

  constructor(
    readonly path: string,
    private readonly file: RangedFile,
  ) {}

  footer(): Promise<FileMetaData> {
    if (this.metadata) return this.metadata;
    // Footers grow with the file, and the indexes of pages are before them.
    const initialFetchSize = Math.min(
      Math.max(TAIL.from, Math.ceil(this.file.byteLength * TAIL.share)),
      TAIL.to,
    );
    this.file.fetchTail(initialFetchSize);
    this.metadata = this.of(() =>
      parquetMetadataAsync(this.file, { geoparquet: false, initialFetchSize }),
    );
    // It can be tried again.
    this.metadata.catch(() => {
      this.metadata = undefined;
    });
    return this.metadata;
  }

  /** First row and end of the row group that has this row. */
  async groupOf(row: number): Promise<[number, number]> {
    let start = 0;
    for (const group of (await this.footer()).row_groups) {
      const end = start + Number(group.num_rows);
      if (row < end) return [start, end];
      start = end;
    }
    throw new Error(`${this.path} has no row ${row}`);
  }

  /** What it gives; an error says which file it is of. */
  private async of<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof FetchError) throw error;
      throw new Error(`${this.path} cannot be read: ${messageOf(error)}`);
    }
  }

  /** Rows from `rowStart` to before `rowEnd`, of these columns. Integers are numbers. */
  async rows(
    options: { columns?: string[]; rowStart?: number; rowEnd?: number } = {},
  ): Promise<Row[]> {
    return this.objects(options);
  }

  /** The rows of one document; only the pages that can have them are read. */
  async rowsOf(document: string): Promise<Row[]> {
    return this.objects({ usePageIndex: true, filter: { doc_id: { $eq: document } } });
  }

  /** What hyparquet reads with these options, as plain rows. */
  private async objects(
    options: Omit<Parameters<typeof parquetReadObjects>[0], "file">,
  ): Promise<Row[]> {
    const metadata = await this.footer();
    const rows = await this.of(() =>
      parquetReadObjects({
        file: this.file,
        metadata,
        compressors: COMPRESSORS,
        useOffsetIndex: true,
        ...options,
      }),
    );
    return rows.map((row) => plain(row) as Row);
  }

  /** Fetch the file whole, because all of it is going to be read. */
  fetchWhole(): void {
    this.file.fetchWhole();
  }

  /** All values of these columns; integers can be big. */
  async columns(...names: string[]): Promise<unknown[][]> {
    const values = new Map<string, unknown[]>(names.map((name) => [name, []]));
    await this.scan(names, (chunk) => placed(values.get(chunk.columnName)!, chunk));
    return [...values.values()];
  }

  /** Read these columns chunk by chunk, in any order, so that never all values are in memory. */
  async scan(columns: string[], onChunk: (chunk: ColumnData) => void): Promise<void> {
    const metadata = await this.footer();
    await this.of(() =>
      parquetRead({
        file: this.file,
        metadata,
        compressors: COMPRESSORS,
        columns,
        onChunk,
      }),
    );
  }
}

/** Put a chunk of a column where its rows are. */
function placed(values: unknown[], { columnData, rowStart }: ColumnData): void {
  for (let row = 0; row < columnData.length; row++) values[rowStart + row] = columnData[row];
}

/** The value with its integers as numbers, except those that a number cannot hold. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object" && !(value instanceof Date)) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  }
  return value;
}

interface Manifest {
  build: string;
  files: { path: string; bytes: number }[];
}

function manifestOf(bytes: ArrayBuffer): Manifest {
  try {
    const { build, files } = JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
    return { build: String(build), files: files.filter(({ path }) => path.endsWith(".parquet")) };
  } catch {
    throw new Error("manifest.json is not that of a data set: the server sent something else.");
  }
}

/** A data set, opened by its manifest. */
export class Dataset {
  private readonly small = new Map<string, Promise<Row[]>>();

  private constructor(
    readonly build: string,
    private readonly tables: Map<string, Table[]>,
  ) {}

  /** Open the data set in the folder at this address. */
  static async open(folder: string): Promise<Dataset> {
    const manifest = manifestOf(await fetched(`${folder}manifest.json`));
    const tables = new Map<string, Table[]>();
    for (const { path, bytes } of manifest.files) {
      const config = path.split("/")[0]!;
      const url = folder + path.split("/").map(encodeURIComponent).join("/");
      const table = new Table(path, new RangedFile(url, bytes));
      tables.set(config, [...(tables.get(config) ?? []), table]);
    }
    return new Dataset(manifest.build, tables);
  }

  /** The files of a table, ordered by round; none if the table is not published. */
  files(name: string): Table[] {
    return this.tables.get(name) ?? [];
  }

  /** The file of a round. */
  fileOf(name: string, round: number): Table | undefined {
    return this.files(name).find((table) => roundOf(table.path) === round);
  }

  /** What a table has of a document of a round; undefined if the table is not published. */
  rowsOf(name: string, round: number, document: string): Promise<Row[]> | undefined {
    const file = this.fileOf(name, round) ?? this.files(name).find(({ path }) => !roundOf(path));
    return file
      ?.rowsOf(document)
      .then((rows) => rows.filter((row) => (row.round_number ?? round) === round));
  }

  /** All rows of a small table, read once. */
  rows(name: string): Promise<Row[]> {
    let found = this.small.get(name);
    if (!found) {
      found = Promise.all(this.files(name).map((table) => table.rows())).then((all) => all.flat());
      this.small.set(name, found);
    }
    return found;
  }
}

/** The number of the round in the name of a file such as data/train-round-0001.parquet. */
export function roundOf(path: string): number {
  return Number(/train-round-(\d+)\.parquet$/.exec(path)?.[1] ?? Number.NaN);
}
