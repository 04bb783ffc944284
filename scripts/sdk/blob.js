/** In the legacy bundle: how a thumbnail is read where blobs cannot do it themselves. */

if (!Blob.prototype.arrayBuffer) {
  /** @this {Blob} @returns {Promise<ArrayBuffer>} */
  Blob.prototype.arrayBuffer = function () {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(/** @type {ArrayBuffer} */ (reader.result));
      reader.onerror = () => reject(reader.error);
      reader.readAsArrayBuffer(this);
    });
  };
}
