/** What scripts that bundle the SDK put in its place. */
declare const ROSTRUM_BUILD: string;
