// Whether scores are hidden, for all parts of the page that show one.
import { createContext } from "preact";

export const Blind = createContext(false);
