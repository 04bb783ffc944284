/**
 * What old browsers have not and the SDK uses. What a browser has is left as it is; `tests/js/sdk/legacy.test.js` takes
 * away what each of them lacks. Required, not imported: esbuild's way to import a CommonJS module iterates by itself.
 */

require("core-js/modules/es.symbol.js");
require("core-js/modules/es.symbol.iterator.js");
require("core-js/modules/es.object.to-string.js");
require("core-js/modules/es.object.assign.js");
require("core-js/modules/es.object.entries.js");
require("core-js/modules/es.object.from-entries.js");
require("core-js/modules/es.array.from.js");
require("core-js/modules/es.array.find.js");
require("core-js/modules/es.array.includes.js");
require("core-js/modules/es.array.iterator.js");
require("core-js/modules/es.string.ends-with.js");
require("core-js/modules/es.string.iterator.js");
require("core-js/modules/es.string.pad-start.js");
require("core-js/modules/es.string.starts-with.js");
require("core-js/modules/es.map.js");
require("core-js/modules/es.set.js");
require("core-js/modules/es.weak-map.js");
require("core-js/modules/es.weak-set.js");
require("core-js/modules/es.promise.js");
require("core-js/modules/es.reflect.set.js");
require("core-js/modules/es.typed-array.from.js");
require("core-js/modules/es.global-this.js");
require("core-js/modules/web.queue-microtask.js");
require("core-js/modules/web.url.js");

if (typeof crypto === "undefined") Object.assign(self, { crypto: self.msCrypto }); // Internet Explorer 11
