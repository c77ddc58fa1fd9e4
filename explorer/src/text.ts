// Texts from the web and from models: offsets in code points, and characters that are not seen.

/** Convert increasing offsets in code points, as published, to offsets in a JavaScript string. */
export function utf16Offsets(text: string, offsets: number[]): number[] {
  const found: number[] = [];
  let points = 0;
  let units = 0;
  for (const offset of offsets) {
    while (points < offset && units < text.length) {
      units += text.codePointAt(units)! > 0xffff ? 2 : 1;
      points += 1;
    }
    found.push(units);
  }
  return found;
}

/** A run of a text: plain, or one character that would not be seen or would reorder the line. */
export interface Run {
  text: string;
  control: boolean;
}

const CONTROL = new RegExp(
  [
    // C0 without tab, line feed and carriage return; delete; C1.
    "[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]",
    // Soft hyphen, direction marks, overrides and isolates, separators, zero width, byte order mark.
    "[\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffc]",
    // Unpaired surrogates, and tags, which can hide a text.
    "[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]",
    "\\udb40[\\udc00-\\udc7f]",
  ].join("|"),
  "g",
);

/** Cut a text into plain runs and single control characters. */
export function runsOf(text: string): Run[] {
  const runs: Run[] = [];
  let end = 0;
  for (const match of text.matchAll(CONTROL)) {
    if (match.index > end) runs.push({ text: text.slice(end, match.index), control: false });
    runs.push({ text: match[0], control: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) runs.push({ text: text.slice(end), control: false });
  return runs;
}

/** The name of a character's code point, such as U+202E. */
export function codePointName(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}
