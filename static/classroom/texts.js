/** The page's words in the reader's language, as the server sent them, and times and lists in its manner. */

/** @typedef {string | {one: string, other: string}} Text with `{name}` for what is filled in */

export class Texts {
  #texts;
  #plural;
  #clock;
  #list;
  #language;

  /**
   * @param {Record<string, Text>} texts by key
   * @param {string} language of the page, "en" or "zh-hans"
   */
  constructor(texts, language) {
    this.#texts = texts;
    this.#language = language;
    this.#plural = new Intl.PluralRules(language);
    this.#clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.#list = new Intl.ListFormat(language, { type: "conjunction" });
  }

  /** For sorting names. */
  get collator() {
    return new Intl.Collator(this.#language, { sensitivity: "base", numeric: true });
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values] `count` chooses between one and many
   */
  say(key, values = {}) {
    const text = this.#texts[key];
    if (text === undefined) throw new Error(`no text for ${key}`);
    const form = typeof text === "string" ? text : this.#form(text, Number(values.count));
    return form.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  }

  /** @param {number} count @returns {string} "480 kB" */
  bytes(count) {
    const power = count < 1000 ? 0 : count < 999_500 ? 1 : 2;
    const unit = ["byte", "kilobyte", "megabyte"][power];
    const unitDisplay = power === 0 ? "long" : "short"; // the short form of bytes has no plural
    const maximumFractionDigits = power === 2 ? 1 : 0;
    const options = /** @type {const} */ ({ style: "unit", unit, unitDisplay, maximumFractionDigits });
    return new Intl.NumberFormat(this.#language, options).format(count / 1000 ** power);
  }

  /** @param {string[]} names @returns {string} "Ann, Bo and Cy"; of many the first two and how many others */
  list(names) {
    if (names.length <= 3) return this.#list.format(names);
    const others = this.say("others", { count: names.length - 2 });
    return this.#list.format([...names.slice(0, 2), others]);
  }

  /** @param {number} ts milliseconds @returns {string} "09:24" */
  time(ts) {
    return this.#clock.format(ts);
  }

  /**
   * @param {number} ts milliseconds
   * @param {number} now milliseconds
   * @returns {string} "Today", "Yesterday", or the date
   */
  day(ts, now) {
    const days = Math.round((startOfDay(now) - startOfDay(ts)) / 86_400_000);
    if (days === 0) return this.say("today");
    if (days === 1) return this.say("yesterday");
    const year = new Date(ts).getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
    /** @type {Intl.DateTimeFormatOptions} */
    const parts = { weekday: "long", day: "numeric", month: "long", year };
    return new Intl.DateTimeFormat(this.#language, parts).format(ts);
  }

  /**
   * @param {{one: string, other: string}} forms
   * @param {number} count
   */
  #form(forms, count) {
    return this.#plural.select(count) === "one" ? forms.one : forms.other;
  }
}

/** @param {number} ts @returns {number} midnight before it, where the reader is */
export function startOfDay(ts) {
  return new Date(ts).setHours(0, 0, 0, 0);
}
