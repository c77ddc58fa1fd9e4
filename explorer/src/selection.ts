// Which probes pass the filters, how many pass per value, and the same as SQL.
import type { Filters } from "./address";
import {
  bandOf,
  distanceLimits,
  EASY_FROM,
  FACET_NAMES,
  type Facet,
  MIDDLE_FROM,
  NO_FINDING,
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
  /** Per finding, likewise, and last of the probes without any. */
  findings: Bands[];
}

export const totalOf = (bands: Bands): number =>
  bands.hard + bands.middle + bands.easy + bands.unscored;

/** The bar of a best score in hundredths. */
export const barOf = (best: number): number => Math.floor(best / 5);

const BANDS = ["hard", "middle", "easy", "unscored"] as const;
/** The place in BANDS of each best score. */
const BAND_OF = Uint8Array.from({ length: 256 }, (_, best) => BANDS.indexOf(bandOf(best)));

/** Select the probes that pass the filters. One pass over all probes, through packed arrays. */
export function select(probes: Probes, filters: Filters): Selection {
  const { documents, document: documentAt, best: bestAt, findings: findingsOf } = probes;
  const facets = FACET_NAMES.map((facet) => ({
    codes: probes[facet],
    allowed: allowedCodes(probes.values[facet], filters.facets[facet]),
    counts: countsFor(probes.values[facet]),
  }));
  const roundNumbers = [...new Set(documents.map(({ round }) => round))];
  const roundCounts = countsFor(roundNumbers);
  const roundOf = Uint16Array.from(documents, ({ round }) => roundNumbers.indexOf(round));
  const inRounds = Uint8Array.from(documents, ({ round }) =>
    Number(filters.rounds.length === 0 || filters.rounds.includes(round)),
  );
  const inDocuments = Uint8Array.from(documents, ({ id }) => Number(id.includes(filters.document)));
  const nFindings = probes.findingNames.length;
  const findingCounts = countsFor([...probes.findingNames, NO_FINDING]);
  const anyFinding = filters.findings.length === 0;
  const wanted = probes.findingNames.reduce(
    (bits, name, number) => (filters.findings.includes(name) ? bits | (1 << number) : bits),
    0,
  );
  // Where findings could not be read, nobody knows which probes have none.
  const wantsNone = filters.findings.includes(NO_FINDING) && !probes.findingsFailure;
  const [from, to] = filters.best ?? [0, UNSCORED];
  const bars = new Array<number>(BARS).fill(0);
  const total = countsFor([""]);
  const places = new Uint32Array(probes.length);
  let n = 0;
  for (let place = 0; place < probes.length; place++) {
    const document = documentAt[place]!;
    if (inDocuments[document] === 0) continue;
    const best = bestAt[place]!;
    const inRound = inRounds[document] === 1;
    const inBest = best >= from && best <= to;
    const found = findingsOf[place]!;
    const inFindings = anyFinding || (found ? (found & wanted) !== 0 : wantsNone);
    // How many filters it fails, and the last of these: a count ignores its own filter.
    let failures = (inRound ? 0 : 1) + (inBest ? 0 : 1) + (inFindings ? 0 : 1);
    let failed: (typeof facets)[number] | undefined;
    for (let number = 0; number < facets.length && failures < 2; number++) {
      const facet = facets[number]!;
      if (facet.allowed[facet.codes[place]!] === 0) {
        failures += 1;
        failed = facet;
      }
    }
    if (failures > 1) continue;
    const band = BAND_OF[best]!;
    if (best !== UNSCORED && (failures === 0 || !inBest)) bars[barOf(best)]! += 1;
    if (failures === 0 || !inRound) roundCounts[4 * roundOf[document]! + band]! += 1;
    if (failures === 0 || !inFindings) {
      if (found === 0) findingCounts[4 * nFindings + band]! += 1;
      for (let number = 0; found > 0 && number < nFindings; number++) {
        if (found & (1 << number)) findingCounts[4 * number + band]! += 1;
      }
    }
    if (failed) failed.counts[4 * failed.codes[place]! + band]! += 1;
    if (failures === 0) {
      for (const { counts, codes } of facets) counts[4 * codes[place]! + band]! += 1;
      total[band]! += 1;
      places[n++] = place;
    }
  }
  const bandsOfFacets = FACET_NAMES.map((facet, number) => [
    facet,
    bandsOf(facets[number]!.counts),
  ]);
  const bandsOfRounds = bandsOf(roundCounts);
  return {
    places: places.slice(0, n),
    bands: bandsOf(total)[0]!,
    bars,
    rounds: new Map(roundNumbers.map((round, number) => [round, bandsOfRounds[number]!])),
    findings: bandsOf(findingCounts),
    facets: Object.fromEntries(bandsOfFacets) as Selection["facets"],
  };
}

/** A count of probes for each value and band. */
const countsFor = (values: unknown[]): Uint32Array => new Uint32Array(4 * values.length);

function bandsOf(counts: Uint32Array): Bands[] {
  const bandsAt = (at: number): Bands =>
    Object.fromEntries(
      BANDS.map((band, number) => [band, counts[at + number]!]),
    ) as unknown as Bands;
  return Array.from({ length: counts.length / 4 }, (_, value) => bandsAt(4 * value));
}

function allowedCodes(values: string[], wanted: string[]): Uint8Array {
  return Uint8Array.from(values, (value) => Number(wanted.length === 0 || wanted.includes(value)));
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
    const named = filters.findings.filter((name) => name !== NO_FINDING).map(literal);
    const among = (where: string): string =>
      `in (\n        select (source_model, doc_id, slot_idx)\n        from 'probe_findings/*.parquet'${where}\n    )`;
    const probe = "(source_model, doc_id, slot_idx)";
    const ways: string[] = [];
    if (named.length) {
      ways.push(`${probe} ${among(`\n        where finding in (${named.join(", ")})`)}`);
    }
    if (named.length < filters.findings.length) ways.push(`${probe} not ${among("")}`);
    conditions.push(ways.length > 1 ? `(${ways.join(" or ")})` : ways[0]!);
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
