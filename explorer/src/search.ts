// Search over questions and right answers, or also atoms, row group by row group.
import { useEffect, useState } from "preact/hooks";
import type { Filters } from "./address";
import type { Dataset } from "./dataset";
import { type Probes, roundOfPlace } from "./probes";
import type { Selection } from "./selection";

/** The columns that are searched. Atoms of many rounds take long to read, so only if asked for. */
export function searched({ atoms }: Filters): string[] {
  return ["verbalizer_prompt", "target_response", ...(atoms ? ["atom_text"] : [])];
}

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
  filters: Filters,
  key: string,
): Searched | undefined {
  const { text } = filters;
  const [found, setFound] = useState({ key: "", places: new Uint32Array(), share: 0 });
  useEffect(() => {
    if (!probes || !selection || !text) return;
    let wanted = true;
    const note = (places: number[], share: number): boolean => {
      if (wanted) setFound({ key, places: Uint32Array.from(places), share });
      return wanted;
    };
    void search(dataset, probes, selection.places, filters, note);
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
  filters: Filters,
  note: (found: number[], share: number) => boolean,
): Promise<void> {
  const wanted = filters.text.toLowerCase();
  const columns = searched(filters);
  const found: number[] = [];
  let done = 0;
  while (done < places.length) {
    const { round, first } = roundOfPlace(probes, places[done]!);
    const file = dataset.fileOf("data", round)!;
    const [rowStart, rowEnd] = await file.groupOf(places[done]! - first);
    const rows = await file.rows({ columns, rowStart, rowEnd });
    for (; done < places.length && places[done]! < first + rowEnd; done++) {
      const row = rows[places[done]! - first - rowStart]!;
      if (columns.some((name) => String(row[name]).toLowerCase().includes(wanted))) {
        found.push(places[done]!);
      }
    }
    if (!note(found, done / places.length)) return;
  }
  note(found, 1);
}
