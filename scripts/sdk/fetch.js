/** In the legacy bundle, in the place of `globalThis.fetch`: as much of it as the SDK uses, where there is none. */

/**
 * @param {string} url
 * @param {{method?: string, headers?: Record<string, string>, body?: string}} [init]
 */
export function sdkFetch(url, init = {}) {
  return typeof fetch === "function" ? fetch(url, init) : byXhr(url, init);
}

/**
 * @param {string} url
 * @param {{method?: string, headers?: Record<string, string>, body?: string}} init
 * @returns {Promise<{ok: boolean, status: number, json: () => Promise<unknown>}>}
 */
function byXhr(url, { method = "GET", headers = {}, body }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const name of Object.keys(headers)) xhr.setRequestHeader(name, headers[name]);
    xhr.onload = () => {
      const { status, responseText } = xhr;
      resolve({ ok: status >= 200 && status < 300, status, json: async () => JSON.parse(responseText) });
    };
    xhr.onerror = () => reject(new TypeError("the request failed"));
    xhr.send(body);
  });
}
