/** The field to write in: grows with the text, Enter sends, the draft is kept until it is sent. */

/** Bytes of a message (docs/contract.md 4). */
const MESSAGE_LIMIT = 32 * 1024;
const HEIGHT_LIMIT_PX = 144;

export class Composer {
  #nodes;
  #actions;

  /**
   * @param {{form: HTMLFormElement, field: HTMLTextAreaElement, error: HTMLElement}} nodes
   * @param {{send: (text: string) => void, draft: (text: string) => void}} actions
   * @param {AbortSignal} signal ends it
   */
  constructor(nodes, actions, signal) {
    this.#nodes = nodes;
    this.#actions = actions;
    const { form, field } = nodes;
    /** @param {Event} event */
    const submit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    /** @param {KeyboardEvent} event */
    const pressed = (event) => {
      // While a word is composed (pinyin, kana) Enter belongs to the input method; Safari tells by the code.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
    };
    const typed = () => {
      this.#resize();
      actions.draft(field.value);
    };
    form.addEventListener("submit", submit, { signal });
    field.addEventListener("keydown", pressed, { signal });
    field.addEventListener("input", typed, { signal });
  }

  /** @param {string} text */
  fill(text) {
    this.#nodes.field.value = text;
    this.#resize();
  }

  focus() {
    this.#resize();
    this.#nodes.field.focus();
  }

  #submit() {
    const { field, error } = this.#nodes;
    const text = field.value.trim();
    const isTooLong = new TextEncoder().encode(text).length > MESSAGE_LIMIT;
    error.hidden = !isTooLong;
    field.setAttribute("aria-invalid", String(isTooLong));
    if (text === "" || isTooLong) return;
    field.value = "";
    this.#resize();
    this.#actions.draft("");
    this.#actions.send(text);
    field.focus();
  }

  #resize() {
    const { field } = this.#nodes;
    field.style.height = "";
    // While it is not in sight it has no height to go by.
    if (field.scrollHeight > 0) field.style.height = `${Math.min(field.scrollHeight, HEIGHT_LIMIT_PX)}px`;
  }
}
