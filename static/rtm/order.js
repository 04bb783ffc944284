/** The order of modules in the classic script: what is alike stands side by side, which compresses better. */

import "./session/standing.js";
import "./session/room_attributes.js";
import "./session/user_attributes.js";
import "./session/stream.js";
import "./session/attributes.js";
import "./session/attendance.js";
import "./session/router.js";
