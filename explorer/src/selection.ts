// Which probes pass the filters, how many pass per value, and the same as SQL.
import type { Filters } from "./address";
import {
  bandOf,
  distanceLimits,
  EASY_FROM,
  FACET_NAMES,
  type Facet,
  MIDDLE_FROM,
  type Probes,
  UNSCORED,
} from "./probes";
import { searched } from "./search";

/** Probes by band. */
export interface Bands {
  hard: number;
  middle: number;
  easy: number;
  unscored: number;
}

/** Scores in steps of 0.05, as judges give them; the last bar is 1.0 alone. */
export const BARS = 21;

/** The selected probes, and the counts that pictures show. */
export interface Selection {
  /** Places of the selected probes, in order. */
  places: Uint32Array;
  bands: Bands;
  /** Probes per bar, with all filters but that of the best score. */
  bars: number[];
  /** Per facet and value, with all filters but that facet's. */
  facets: Record<Facet, Bands[]>;
  /** Per round, likewise. */
  rounds: Map<number, Bands>;
  /** Per finding, likewise. */
  findings: Bands[];
}

const noBands = (): Bands => ({ hard: 0, middle: 0, easy: 0, unscored: 0 });

export const totalOf = (bands: Bands): number =>
  bands.hard + bands.middle + bands.easy + bands.unscored;

/** The bar of a best score in hundredths. */
export const barOf = (best: number): number => Math.floor(best / 5);

/** Select the probes that pass the filters. One pass over all probes. */
export function select(probes: Probes, filters: Filters): Selection {
  const allowed = FACET_NAMES.map((facet) =>
    allowedCodes(probes.values[facet], filters.facets[facet]),
  );
  const codes = FACET_NAMES.map((facet) => probes[facet]);
  const counts = FACET_NAMES.map((facet) => probes.values[facet].map(noBands));
  const rounds = new Map(probes.documents.map(({ round }) => [round, noBands()]));
  const ofDocument = probes.documents.map(({ id, round }) => ({
    inRound: filters.rounds.length === 0 || filters.rounds.includes(round),
    inDocument: id.includes(filters.document),
    bandsOfRound: rounds.get(round)!,
  }));
  const findings = probes.findingNames.map(noBands);
  const wanted = probes.findingNames.reduce(
    (bits, name, number) => (filters.findings.includes(name) ? bits | (1 << number) : bits),
    0,
  );
  const bars = new Array<number>(BARS).fill(0);
  const bands = noBands();
  const places = new Uint32Array(probes.length);
  let n = 0;
  for (let place = 0; place < probes.length; place++) {
    const { inRound, inDocument, bandsOfRound } = ofDocument[probes.document[place]!]!;
    if (!inDocument) continue;
    const best = probes.best[place]!;
    const inBest = !filters.best || (best >= filters.best[0] && best <= filters.best[1]);
    const found = probes.findings[place]!;
    const inFindings = filters.findings.length === 0 || (found & wanted) !== 0;
    // How many filters it fails, and the last of these: a count ignores its own filter.
    let failures = (inRound ? 0 : 1) + (inBest ? 0 : 1) + (inFindings ? 0 : 1);
    let failed = -1;
    for (let facet = 0; facet < allowed.length; facet++) {
      if (!allowed[facet]![codes[facet]![place]!]) {
        failures += 1;
        failed = facet;
      }
    }
    if (failures > 1) continue;
    const band = bandOf(best);
    if (best !== UNSCORED && (failures === 0 || !inBest)) bars[barOf(best)]! += 1;
    if (failures === 0 || !inRound) bandsOfRound[band] += 1;
    if (found && (failures === 0 || !inFindings)) {
      for (let number = 0; number < findings.length; number++) {
        if (found & (1 << number)) findings[number]![band] += 1;
      }
    }
    if (failed >= 0) counts[failed]![codes[failed]![place]!]![band] += 1;
    if (failures === 0) {
      for (let facet = 0; facet < counts.length; facet++) {
        counts[facet]![codes[facet]![place]!]![band] += 1;
      }
      bands[band] += 1;
      places[n++] = place;
    }
  }
  const facets = Object.fromEntries(FACET_NAMES.map((facet, number) => [facet, counts[number]!]));
  return {
    places: places.slice(0, n),
    bands,
    bars,
    rounds,
    findings,
    facets: facets as Selection["facets"],
  };
}

function allowedCodes(values: string[], wanted: string[]): boolean[] {
  return values.map((value) => wanted.length === 0 || wanted.includes(value));
}

/** The files and conditions of a selection as SQL, for DuckDB in the data set's folder. */
export function sqlOf(filters: Filters, columns: string, end = ""): string {
  const conditions = FACET_NAMES.flatMap((facet) => conditionOf(facet, filters.facets[facet]));
  if (filters.best) {
    const [from, to] = filters.best.map((score) => (score / 100).toFixed(2));
    conditions.push(`bb_answer_score_max between ${from} and ${to}`);
  }
  if (filters.document) conditions.push(`contains(doc_id, ${literal(filters.document)})`);
  if (filters.text) {
    const text = literal(filters.text.toLowerCase());
    const found = searched(filters).map((column) => `contains(lower(${column}), ${text})`);
    conditions.push(`(\n        ${found.join("\n        or ")}\n    )`);
  }
  if (filters.findings.length) {
    const named = filters.findings.map(literal).join(", ");
    conditions.push(
      `(doc_id, slot_idx) in (\n        select (doc_id, slot_idx)\n        from 'probe_findings/*.parquet'\n        where finding in (${named})\n    )`,
    );
  }
  const files = filters.rounds.map(
    (round) => `'data/train-round-${String(round).padStart(4, "0")}.parquet'`,
  );
  const from = files.length ? `read_parquet([${files.join(", ")}])` : "'data/*.parquet'";
  const where = conditions.length ? `\nwhere ${conditions.join("\n    and ")}` : "";
  return `select ${columns}\nfrom ${from}${where}${end && `\n${end}`}`;
}

function conditionOf(facet: Facet, values: string[]): string[] {
  if (values.length === 0) return [];
  if (facet === "distance") {
    const words = "abs(actual_word_distance_from_split)";
    const ranges = values.map((value) => {
      const [from, to] = distanceLimits(value);
      return to === null ? `${words} >= ${from}` : `${words} between ${from} and ${to}`;
    });
    return [ranges.length > 1 ? `(${ranges.join(" or ")})` : ranges[0]!];
  }
  const column =
    facet === "typicality"
      ? "coalesce(typicality, if(target = 'suffix', 'neither', 'none'))"
      : facet;
  return [`${column} in (${values.map(literal).join(", ")})`];
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export const BAND_RANGES: Record<"hard" | "middle" | "easy", [number, number]> = {
  hard: [0, MIDDLE_FROM - 1],
  middle: [MIDDLE_FROM, EASY_FROM - 1],
  easy: [EASY_FROM, 100],
};
