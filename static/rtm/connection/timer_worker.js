/** The worker of a page whose policy wants it to be a file. */

import { keepTime } from "./timers.js";

keepTime(self);
