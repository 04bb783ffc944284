/** A worker that plays what it is sent. */

import { run } from "./run.js";

addEventListener("message", ({ data }) => {
  run(data).then(
    () => postMessage(null),
    (error) => postMessage(`${error?.stack ?? error}`),
  );
});
