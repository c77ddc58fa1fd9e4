// Where a reader is on the page when its address changes: the scroll position, and the focus.
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** How far the view of the address is to be scrolled once it is shown. */
let awaited = 0;
/** The view that is opened first leaves the focus where it is. */
let isFirst = true;

/** Start to note in the browser's history how far each view is scrolled. */
export function noteScrolling(): void {
  history.scrollRestoration = "manual";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const note = (): void => {
    clearTimeout(timer);
    history.replaceState({ scrolled: window.scrollY }, "");
  };
  // Browsers allow few changes of the history in a second.
  window.addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(note, 200);
  });
  // Before a link is followed.
  window.addEventListener("click", note, true);
  // Only an entry that was shown before has a state.
  window.addEventListener("popstate", ({ state }) => {
    clearTimeout(timer);
    awaited = Number((state as { scrolled?: unknown } | null)?.scrolled ?? 0) || 0;
  });
}

/** Scroll a view to where it was when it was left, or to its beginning: the element with this id. */
export function useScrolling(view: string, beginning?: string): void {
  useLayoutEffect(() => {
    const element = beginning && awaited === 0 && document.getElementById(beginning);
    if (element) element.scrollIntoView();
    else window.scrollTo(0, awaited);
  }, [view]);
}

/** The same once the view has its texts, and with them its height. */
export function useSettled(isShown: boolean): void {
  useLayoutEffect(() => {
    if (isShown && awaited > 0) window.scrollTo(0, awaited);
    if (isShown) awaited = 0;
  }, [isShown]);
}

/** The heading of a view. It gets the focus when the view changes, so that it is read out. */
export function useHeading(of: string): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    if (!isFirst) heading.current?.focus({ preventScroll: true });
    isFirst = false;
  }, [of]);
  return heading;
}
