// Which words of an atom recur in another text.

export interface Recurring {
  /** The text, cut where words recur. */
  parts: { text: string; isFound: boolean }[];
  /** Different words of the atom, and those of them that occur in the text. */
  nWords: number;
  nFound: number;
}

const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}’'-]*/gu;
/** Behind these characters, words are counted and not marked. */
const MARKED = 20_000;
/** Shorter words, such as most function words, recur everywhere. */
const SHORTEST = 5;

/** Find the words of the atom in a text, whatever their case; all words if the atom is short. */
export function recurring(atom: string, text: string): Recurring {
  const all = [...atom.matchAll(WORD)].map(([word]) => word.toLowerCase());
  const long = all.filter((word) => word.length >= SHORTEST);
  const wanted = new Set(long.length > 0 ? long : all);
  const found = new Set<string>();
  const parts: Recurring["parts"] = [];
  let end = 0;
  if (wanted.size > 0) {
    for (const match of text.matchAll(WORD)) {
      const word = match[0].toLowerCase();
      if (!wanted.has(word)) continue;
      found.add(word);
      if (match.index > MARKED) continue;
      parts.push({ text: text.slice(end, match.index), isFound: false });
      parts.push({ text: match[0], isFound: true });
      end = match.index + match[0].length;
    }
  }
  parts.push({ text: text.slice(end), isFound: false });
  return {
    parts: parts.filter((part) => part.text !== ""),
    nWords: wanted.size,
    nFound: found.size,
  };
}
