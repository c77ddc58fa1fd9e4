// Values that are read from files while a view is shown.
import { useEffect, useState } from "preact/hooks";

export type Loaded<T> =
  | { state: "loading" }
  | { state: "ready"; value: T }
  | { state: "failed"; message: string };

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** What `read` gives, again when `key` changes; what belongs to an older key is dropped. */
export function useLoaded<T>(key: string, read: () => Promise<T>): Loaded<T> {
  const [loaded, setLoaded] = useState<{ key: string; of: Loaded<T> }>();
  useEffect(() => {
    let wanted = true;
    const set = (of: Loaded<T>): void => {
      if (wanted) setLoaded({ key, of });
    };
    read().then(
      (value) => set({ state: "ready", value }),
      (error) => set({ state: "failed", message: messageOf(error) }),
    );
    return () => {
      wanted = false;
    };
  }, [key]);
  return loaded?.key === key ? loaded.of : { state: "loading" };
}
