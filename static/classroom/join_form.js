/** Name and room, checked before anything is sent; what went wrong is said at the field it is about. */

import { roomIdOf, tidy, uidOf } from "./names.js";

/** @typedef {{name: string, room: string}} Person who comes, and where to */

/** Any tag will do to see whether a name fits. */
const SOME_TAG = "000000";

export class JoinForm {
  #nodes;
  #texts;
  #join;

  /**
   * @param {{form: HTMLFormElement, name: HTMLInputElement, nameError: HTMLElement, room: HTMLInputElement,
   *   roomError: HTMLElement, failure: HTMLElement, button: HTMLButtonElement, label: HTMLElement}} nodes
   * @param {import("./texts.js").Texts} texts
   * @param {(person: Person) => void} join
   */
  constructor(nodes, texts, join) {
    this.#nodes = nodes;
    this.#texts = texts;
    this.#join = join;
    nodes.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** @param {boolean} isBusy the button keeps its width and says what happens */
  setBusy(isBusy) {
    const { button, label } = this.#nodes;
    button.setAttribute("aria-busy", String(isBusy));
    label.textContent = this.#texts.say(isBusy ? "joining" : "join");
  }

  /** @param {string} key of what went wrong; "" for nothing */
  fail(key) {
    this.#say(this.#nodes.failure, null, key);
  }

  focus() {
    const { name, room, button } = this.#nodes;
    (name.value === "" ? name : room.value === "" ? room : button).focus();
  }

  /** @param {Person} person */
  fill({ name, room }) {
    this.#nodes.name.value = name;
    this.#nodes.room.value = room;
  }

  #submit() {
    const { name: nameField, nameError, room: roomField, roomError, button } = this.#nodes;
    if (button.getAttribute("aria-busy") === "true") return;
    const name = tidy(nameField.value);
    const room = tidy(roomField.value);
    this.fail("");
    this.#say(roomError, roomField, room === "" ? "no_room" : roomIdOf(room) === null ? "long_room" : "");
    this.#say(nameError, nameField, name === "" ? "no_name" : uidOf(name, SOME_TAG) === null ? "long_name" : "");
    const wrong = [nameField, roomField].find((field) => field.getAttribute("aria-invalid") === "true");
    if (wrong) wrong.focus();
    else this.#join({ name, room });
  }

  /**
   * @param {HTMLElement} node where it is said; its last child takes the words
   * @param {HTMLInputElement | null} field it is about
   * @param {string} key
   */
  #say(node, field, key) {
    node.hidden = key === "";
    if (key !== "" && node.lastElementChild) node.lastElementChild.textContent = this.#texts.say(key);
    field?.setAttribute("aria-invalid", String(key !== ""));
    field?.closest(".field")?.classList.toggle("bad", key !== "");
  }
}
