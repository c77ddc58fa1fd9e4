// Search over questions and right answers, row group by row group.
import { useEffect, useState } from "preact/hooks";
import type { Dataset } from "./dataset";
import { type Probes, roundOfPlace } from "./probes";
import type { Selection } from "./selection";

const COLUMNS = ["verbalizer_prompt", "target_response"];

/** The selection, with only the probes that contain the text; `share` of it is searched so far. */
export interface Searched {
  selection: Selection;
  share: number;
}

/** Search the selection again if `key` changes; what is found is given as it is found. */
export function useSearch(
  dataset: Dataset,
  probes: Probes | undefined,
  selection: Selection | undefined,
  text: string,
  key: string,
): Searched | undefined {
  const [found, setFound] = useState({ key: "", places: new Uint32Array(), share: 0 });
  useEffect(() => {
    if (!probes || !selection || !text) return;
    let wanted = true;
    const note = (places: number[], share: number): boolean => {
      if (wanted) setFound({ key, places: Uint32Array.from(places), share });
      return wanted;
    };
    void search(dataset, probes, selection.places, text, note);
    return () => {
      wanted = false;
    };
  }, [key, probes]);
  if (!selection || !text) return selection && { selection, share: 1 };
  const current = found.key === key ? found : { places: new Uint32Array(), share: 0 };
  return { selection: { ...selection, places: current.places }, share: current.share };
}

/** Search these places; `note` gets all that was found so far, and says whether to go on. */
async function search(
  dataset: Dataset,
  probes: Probes,
  places: Uint32Array,
  text: string,
  note: (found: number[], share: number) => boolean,
): Promise<void> {
  const wanted = text.toLowerCase();
  const found: number[] = [];
  let done = 0;
  while (done < places.length) {
    const { round, first } = roundOfPlace(probes, places[done]!);
    const file = dataset.fileOf("data", round)!;
    const [rowStart, rowEnd] = await file.groupOf(places[done]! - first);
    const rows = await file.rows({ columns: COLUMNS, rowStart, rowEnd });
    for (; done < places.length && places[done]! < first + rowEnd; done++) {
      const row = rows[places[done]! - first - rowStart]!;
      if (COLUMNS.some((name) => String(row[name]).toLowerCase().includes(wanted))) {
        found.push(places[done]!);
      }
    }
    if (!note(found, done / places.length)) return;
  }
  note(found, 1);
}
