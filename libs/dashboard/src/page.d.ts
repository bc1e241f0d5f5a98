/** The page, as `build-page.mjs` makes it: one file, and what it may load. */
export declare const PAGE: string;
/** Its Content-Security-Policy: its own script and style by their hashes, and connections to its own origin. */
export declare const POLICY: string;
