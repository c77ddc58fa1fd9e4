// The order in which selected probes are listed.
import { type Probes, UNSCORED } from "./probes";

/** Orders by the value that addresses have; "" is that of the files. */
export const ORDERS = {
  "": "in file order",
  hardest: "hardest first",
  easiest: "easiest first",
  random: "at random",
} as const;
export type Order = keyof typeof ORDERS;

/** The end of a query that has this order. Chance cannot be the same there. */
export const ORDER_SQL: Record<Order, string> = {
  "": "order by all",
  hardest: "order by bb_answer_score_max, doc_id, slot_idx",
  easiest: "order by bb_answer_score_max desc, doc_id, slot_idx",
  random: "order by random()",
};

/** The places, which increase, in this order; unscored probes are last. */
export function ordered(probes: Probes, places: Uint32Array, order: Order): Uint32Array {
  if (order === "") return places;
  if (order === "random") return shuffled(probes, places);
  const key = (place: number): number => {
    const best = probes.best[place]!;
    return best === UNSCORED || order === "hardest" ? best : 100 - best;
  };
  const ends = new Uint32Array(UNSCORED + 2);
  for (const place of places) ends[key(place) + 1]! += 1;
  for (let at = 1; at < ends.length; at++) ends[at]! += ends[at - 1]!;
  const found = new Uint32Array(places.length);
  for (const place of places) found[ends[key(place)]!++] = place;
  return found;
}

/** A number holds 26 random bits above a place. */
const SHIFT = 2 ** 27;

/** The order follows from what the probes are, so that it stays when the set grows. */
function shuffled(probes: Probes, places: Uint32Array): Uint32Array {
  const documents = Uint32Array.from(probes.documents, ({ round, id }) => hashed(`${round}/${id}`));
  const keys = Float64Array.from(places, (place) => {
    const mixed = finalized(documents[probes.document[place]!]! + probes.slot[place]!);
    return (mixed >>> 6) * SHIFT + place;
  }).sort();
  return Uint32Array.from(keys, (key) => key % SHIFT);
}

/** FNV-1a over UTF-16 code units. */
function hashed(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return finalized(hash);
}

/** The finalizer of MurmurHash3. */
function finalized(number: number): number {
  let mixed = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
