// All probes of the set by their narrow columns, packed: half a million take a few megabytes.
import type { Dataset, Table } from "./dataset";
import { roundOf } from "./dataset";
import { messageOf } from "./loading";

/** The probes, ordered by round, document and slot. One entry per probe in each array. */
export interface Probes {
  length: number;
  documents: DocumentKey[];
  /** Those that were asked for, by round and id. */
  found: Map<string, DocumentKey | undefined>;
  /** The values of each facet; the arrays below have places in these lists. */
  values: Record<Facet, string[]>;
  /** Place in `documents`. */
  document: Uint32Array;
  slot: Uint8Array;
  scope: Uint8Array;
  target: Uint8Array;
  typicality: Uint8Array;
  distance: Uint8Array;
  /** The findings of a probe: bit n is set if it has number n of `findingNames`. */
  findings: Uint32Array;
  findingNames: string[];
  /** Why findings are missing, if they could not be read. */
  findingsFailure: string;
  /** Best score in hundredths; UNSCORED if the probe has none. */
  best: Uint8Array;
}

/** A document, the place of its row in its round's files, and of its first probe. */
export interface DocumentKey {
  round: number;
  id: string;
  row: number;
  firstProbe: number;
}

/** Chooses the probes without findings. No finding has this name: theirs have no spaces. */
export const NO_FINDING = "no finding";
export const UNSCORED = 255;
/** A best score from here on is not HARD, and EASY; in hundredths. */
export const MIDDLE_FROM = 40;
export const EASY_FROM = 80;

const NEITHER = "neither";
/** Values of facets in their order; others that a set has come after them. */
const FACETS = {
  scope: ["word", "lens", "sentence", "paragraph", "whole"],
  target: ["prefix", "suffix"],
  typicality: ["typical", "atypical", NEITHER, "none"],
  distance: ["0", "1–9", "10–24", "25–49", "50–99", "100 or more"],
};
export type Facet = keyof typeof FACETS;
export const FACET_NAMES = Object.keys(FACETS) as Facet[];

const DISTANCES = [0, 9, 24, 49, 99];

export type Band = "hard" | "middle" | "easy" | "unscored";

/** The band of a best score in hundredths. */
export function bandOf(best: number): Band {
  if (best === UNSCORED) return "unscored";
  return best < MIDDLE_FROM ? "hard" : best < EASY_FROM ? "middle" : "easy";
}

/** Read the narrow columns of all probes. */
export async function readProbes(dataset: Dataset): Promise<Probes> {
  // Earlier versions published no overview; the same columns of `data` take a request per row group.
  const overview = dataset.files("overview");
  for (const file of overview) file.fetchWhole();
  const files = overview.length > 0 ? overview : dataset.files("data");
  const counts = await Promise.all(
    files.map(async (file) => Number((await file.footer()).num_rows)),
  );
  const length = counts.reduce((sum, count) => sum + count, 0);
  const probes: Probes = {
    length,
    documents: [],
    found: new Map(),
    values: structuredClone(FACETS),
    document: new Uint32Array(length),
    slot: new Uint8Array(length),
    scope: new Uint8Array(length),
    target: new Uint8Array(length),
    typicality: new Uint8Array(length),
    distance: new Uint8Array(length),
    best: new Uint8Array(length),
    findings: new Uint32Array(length),
    findingNames: [],
    findingsFailure: "",
  };
  const starts = counts.map((_, file) => counts.slice(0, file).reduce((sum, n) => sum + n, 0));
  const found = await Promise.all(files.map((file, number) => pack(probes, starts[number]!, file)));
  probes.documents = found.flat();
  for (const [place, key] of probes.documents.entries()) {
    probes.document.fill(place, key.firstProbe, probes.documents[place + 1]?.firstProbe ?? length);
  }
  // Only of suffixes is it known whether they recur.
  const [neither, none] = [NEITHER, "none"].map((name) => probes.values.typicality.indexOf(name));
  const suffix = probes.values.target.indexOf("suffix");
  for (let place = 0; place < length; place++) {
    if (probes.typicality[place] === neither && probes.target[place] !== suffix) {
      probes.typicality[place] = none!;
    }
  }
  await readFindings(dataset, probes).catch((error) => {
    probes.findingsFailure = messageOf(error);
  });
  return probes;
}

/** Note which probes have which findings, where these are published. */
async function readFindings(dataset: Dataset, probes: Probes): Promise<void> {
  const byRound = Map.groupBy(probes.documents, ({ round }) => round);
  for (const file of dataset.files("probe_findings")) {
    const documents = new Map(byRound.get(roundOf(file.path))?.map((key) => [key.id, key]));
    const [ids, slots, findings] = await file.columns("doc_id", "slot_idx", "finding");
    for (const [row, id] of ids!.entries()) {
      const key = documents.get(String(id));
      const slot = Number(slots![row]);
      const place = key && placeIn(probes, key, slot);
      if (place !== undefined && probes.slot[place] === slot) {
        probes.findings[place]! |= 1 << codeOf(probes.findingNames, findings![row]);
      }
    }
  }
}

/** Pack the probes of a round, the first of them at `start`; return the round's documents. */
async function pack(probes: Probes, start: number, file: Table): Promise<DocumentKey[]> {
  const firsts: { place: number; id: string }[] = [];
  await file.scan(COLUMNS, ({ columnName, columnData, rowStart }) => {
    const from = start + rowStart;
    if (columnName === "doc_id") {
      let last: unknown;
      for (let row = 0; row < columnData.length; row++) {
        if (row > 0 && columnData[row] === last) continue;
        last = columnData[row];
        firsts.push({ place: from + row, id: String(last) });
      }
    } else {
      const [packed, code] = PACKED[columnName]!;
      const target = probes[packed];
      // Few values differ.
      const known = new Map<unknown, number>();
      for (let row = 0; row < columnData.length; row++) {
        const value = columnData[row];
        let packedValue = known.get(value);
        if (packedValue === undefined) {
          packedValue = code(value, probes.values);
          known.set(value, packedValue);
        }
        target[from + row] = packedValue;
      }
    }
  });
  firsts.sort((a, b) => a.place - b.place);
  const round = roundOf(file.path);
  return (
    firsts
      // A chunk can begin within a document.
      .filter(({ id }, number) => id !== firsts[number - 1]?.id)
      .map(({ place, id }, row) => ({ round, id, row, firstProbe: place }))
  );
}

type Values = Probes["values"];

/** For each column, where it is packed and how a value is. */
const PACKED: Record<
  string,
  ["slot" | Facet | "best", (value: unknown, values: Values) => number]
> = {
  slot_idx: ["slot", Number],
  scope: ["scope", (value, { scope }) => codeOf(scope, value)],
  target: ["target", (value, { target }) => codeOf(target, value)],
  typicality: ["typicality", (value, { typicality }) => codeOf(typicality, value ?? NEITHER)],
  actual_word_distance_from_split: ["distance", (value) => distanceCode(Number(value))],
  bb_answer_score_max: [
    "best",
    (value) => (typeof value === "number" ? Math.round(100 * value) : UNSCORED),
  ],
};
const COLUMNS = ["doc_id", ...Object.keys(PACKED)];

/** The place of a name in a list, which gets a name that it does not have. */
function codeOf(names: string[], name: unknown): number {
  const place = names.indexOf(String(name));
  return place < 0 ? names.push(String(name)) - 1 : place;
}

/** The place in the distances of a number of words between atom and split. */
function distanceCode(words: number): number {
  const place = DISTANCES.findIndex((limit) => Math.abs(words) <= limit);
  return place < 0 ? DISTANCES.length : place;
}

/** The limits of a range of distances, in words; null for no limit. */
export function distanceLimits(range: string): [number, number | null] {
  const code = FACETS.distance.indexOf(range);
  return [code === 0 ? 0 : DISTANCES[code - 1]! + 1, DISTANCES[code] ?? null];
}

/** The findings of the probe at a place. */
export function findingsAt({ findings, findingNames }: Probes, place: number): string[] {
  return findingNames.filter((_, number) => findings[place]! & (1 << number));
}

/** The document with this id in a round, if it has probes. */
export function documentOf(probes: Probes, round: number, id: string): DocumentKey | undefined {
  const name = `${round}/${id}`;
  if (!probes.found.has(name)) {
    const found = probes.documents.find((key) => key.id === id && key.round === round);
    probes.found.set(name, found);
  }
  return probes.found.get(name);
}

/** The place of a probe, or where it would be if the set had it. */
export function placeOf(probes: Probes, round: number, id: string, slot: number): number {
  const key = documentOf(probes, round, id);
  return key ? placeIn(probes, key, slot) : probes.length;
}

function placeIn(probes: Probes, key: DocumentKey, slot: number): number {
  const document = probes.document[key.firstProbe];
  let place = key.firstProbe;
  while (probes.document[place] === document && probes.slot[place]! < slot) place += 1;
  return place;
}

/** The round of a probe, and the place of its first probe. */
export function roundOfPlace(probes: Probes, place: number): { round: number; first: number } {
  const { round } = probes.documents[probes.document[place]!]!;
  const first = probes.documents.find((key) => key.round === round)!.firstProbe;
  return { round, first };
}

/** Whether the probe at a place is that of this slot. */
export function isAt(probes: Probes, place: number, id: string, slot: number): boolean {
  return probes.slot[place] === slot && probes.documents[probes.document[place]!]?.id === id;
}
